/** The forms of rows that can be searched, and the checks of what callers hand over. */
import { show } from '../arguments/show.js';
import type { Matrix, Vector } from '../vectors/similarity.js';

/** Rows of 8-bit integers, as `Embeddings.toInt8` makes them. */
export interface Int8Matrix {
  /** rows × dimensions, row-major. */
  readonly data: Int8Array;
  readonly rows: number;
  readonly dimensions: number;
}

/** Rows of bits, as `Embeddings.toBits` makes them. */
export interface BitMatrix {
  /** rows × ceil(dimensions / 8) bytes, most significant bit first. */
  readonly data: Uint8Array;
  readonly rows: number;
  /** Bits of a row that count. */
  readonly dimensions: number;
}

export type AnyMatrix = Matrix | Int8Matrix | BitMatrix;
export type Form = 'float32' | 'int8' | 'bits';

/** What the sums of the integer kernels have room for. */
const mostDimensions = 131_071;
/** Places of rows are 32 bits wide. */
const mostRows = 2 ** 32 - 1;

function formOf(data: unknown): Form | undefined {
  if (data instanceof Float32Array) return 'float32';
  if (data instanceof Int8Array) return 'int8';
  return data instanceof Uint8Array ? 'bits' : undefined;
}

/** Throws unless `matrix` is whole rows of a form. */
export function checkedForm(which: string, matrix: AnyMatrix): Form {
  const { data, rows, dimensions } = Object(matrix) as Partial<AnyMatrix>;
  const form = formOf(data);
  if (form === undefined) {
    throw new TypeError(
      `topK: ${which} must be { data, rows, dimensions } with a Float32Array, Int8Array (toInt8) or Uint8Array (toBits) ` +
        `as data, such as what Session.embed returns, not ${data === undefined ? show(matrix) : `one with ${show(data)}`}`,
    );
  }
  if (!isCount(rows, 0, mostRows) || !isCount(dimensions, 1, mostDimensions)) {
    throw new RangeError(
      `topK: ${which} has ${show(rows)} rows of ${show(dimensions)} dimensions; ` +
        `rows must be an integer from 0 to ${mostRows}, dimensions from 1 to ${mostDimensions}`,
    );
  }
  const expected = rows * (form === 'bits' ? Math.ceil(dimensions / 8) : dimensions);
  if (data?.length !== expected) {
    const unit = form === 'bits' ? 'bytes' : 'values';
    throw new RangeError(
      `topK: ${which}.data has ${data?.length} ${unit}, not the ${expected} of ${rows} rows of ${dimensions} dimensions`,
    );
  }
  return form;
}

function isCount(value: unknown, least: number, most: number): value is number {
  return Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most;
}

/** Queries end to end, and whether there was one that was no list. */
export interface Queries {
  readonly data: Float32Array;
  readonly single: boolean;
}

/** Throws unless they are finite vectors of so many dimensions. */
export function checkedQueries(given: Vector | Matrix | readonly Vector[], dimensions: number): Queries {
  if (typeof given !== 'object' || (given as unknown) === null) {
    throw new TypeError(`topK: the query must be a vector, a list of vectors or a matrix, not ${show(given)}`);
  }
  if ('data' in given) {
    if (checkedForm('queries', given) !== 'float32') {
      throw new TypeError('topK: queries must be float32; those for int8 and bits are made of them');
    }
    checkLength(given.dimensions, dimensions);
    checkFinite(given.data, dimensions);
    return { data: given.data, single: false };
  }
  const single = !Array.isArray(given) || typeof given[0] === 'number';
  const vectors = single ? [given as Vector] : (given as readonly Vector[]);
  const data = new Float32Array(vectors.length * dimensions);
  for (const [i, vector] of vectors.entries()) {
    if (typeof vector !== 'object' || typeof (vector as Partial<Vector> | null)?.length !== 'number') {
      throw new TypeError(`topK: query ${i} must be a list of numbers, not ${show(vector)}`);
    }
    checkLength(vector.length, dimensions);
    data.set(vector, i * dimensions);
  }
  checkFinite(data, dimensions);
  return { data, single };
}

function checkLength(length: number, dimensions: number): void {
  if (length === dimensions) return;
  throw new RangeError(`topK: a query has ${length} dimensions and the rows ${dimensions}: are they of one model?`);
}

function checkFinite(data: Float32Array, dimensions: number): void {
  const wrong = data.findIndex((value) => !Number.isFinite(value));
  if (wrong < 0) return;
  const place = `value ${wrong % dimensions} of query ${Math.floor(wrong / dimensions)}`;
  throw new RangeError(`topK: ${place} is ${data[wrong]}; a query must be finite as float32`);
}
