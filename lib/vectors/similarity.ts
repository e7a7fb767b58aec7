/** How alike embeddings are: one pair in plain TypeScript, whole matrices in native code. */
import { isGtewayError } from '../errors.js';
import { binding } from '../native/binding.js';
import { fromNative } from '../native/errors.js';

/** A vector: what `Session.run` returns, a row of an `Embeddings`, or any other list of numbers. */
export type Vector = ArrayLike<number>;

/** Rows of numbers, as `Session.embed` returns them. */
export interface Matrix {
  /** rows × dimensions, row-major. */
  readonly data: Float32Array;
  readonly rows: number;
  readonly dimensions: number;
}

/** What `similarityMatrix` returns. */
export interface SimilarityMatrix {
  /** rows × columns, row-major. */
  readonly data: Float32Array;
  /** Rows of the first matrix. */
  readonly rows: number;
  /** Rows of the second. */
  readonly columns: number;
}

/** Throws unless both are lists of numbers of one length. */
function checkPair(name: string, a: Vector, b: Vector): void {
  for (const vector of [a, b] as unknown[]) {
    if (typeof vector !== 'object' || vector === null || typeof (vector as Partial<Vector>).length !== 'number') {
      throw new TypeError(`${name}: expected two arrays of numbers, got ${vector === null ? 'null' : typeof vector}`);
    }
  }
  if (a.length !== b.length) {
    throw new RangeError(`${name}: vectors of different lengths, ${a.length} and ${b.length}: are they of one model?`);
  }
}

function sumOfProducts(a: Vector, b: Vector): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] ?? NaN) * (b[i] ?? NaN);
  return sum;
}

/**
 * The dot product of two vectors, in float64; for normalised embeddings the same as their cosine.
 *
 * Throws `RangeError` when their lengths differ.
 */
export function dot(a: Vector, b: Vector): number {
  checkPair('dot', a, b);
  return sumOfProducts(a, b);
}

/**
 * The cosine of the angle between two vectors: 1 for the same direction, 0 for unrelated ones, -1 for opposite ones.
 * 0 if one of them is the zero vector. Computed in float64; the vectors need not be normalised.
 *
 * Throws `RangeError` when their lengths differ.
 *
 * @example
 * const [a, b] = await session.run(['a small dog', 'a little puppy']);
 * cosineSimilarity(a, b); // near 1
 */
export function cosineSimilarity(a: Vector, b: Vector): number {
  checkPair('cosineSimilarity', a, b);
  const lengths = Math.sqrt(sumOfProducts(a, a)) * Math.sqrt(sumOfProducts(b, b));
  return lengths === 0 ? 0 : sumOfProducts(a, b) / lengths;
}

function checkMatrix(which: string, matrix: Matrix): void {
  const { data, rows, dimensions } = matrix;
  if (!(data instanceof Float32Array)) {
    throw new TypeError(`similarityMatrix: ${which}.data must be a Float32Array; pass what Session.embed returns`);
  }
  if (!Number.isSafeInteger(rows) || rows < 0 || !Number.isSafeInteger(dimensions) || dimensions < 1) {
    throw new RangeError(
      `similarityMatrix: ${which} has ${rows} rows of ${dimensions} dimensions; ` +
        'rows must be an integer of at least 0, dimensions of at least 1',
    );
  }
  if (data.length !== rows * dimensions) {
    throw new RangeError(
      `similarityMatrix: ${which}.data has ${data.length} values, not ${rows} rows × ${dimensions} dimensions`,
    );
  }
}

/**
 * The cosine of every row of `a` with every row of `b` (by default `a` itself): element `i * columns + j` of `data` is
 * the cosine of `a`'s row i and `b`'s row j, 0 if one of them is the zero vector.
 *
 * Runs on the calling thread, in the addon's kernels: 27 million cosines of 384 dimensions a second on one Zen 5 core.
 *
 * Throws `RangeError` when the dimensions differ, or when there is no room for the result.
 */
export function similarityMatrix(a: Matrix, b: Matrix = a): SimilarityMatrix {
  checkMatrix('a', a);
  checkMatrix('b', b);
  if (a.dimensions !== b.dimensions) {
    throw new RangeError(
      `similarityMatrix: a has ${a.dimensions} dimensions and b ${b.dimensions}: are they of one model?`,
    );
  }
  try {
    return { data: binding().similarityMatrix(a.data, b.data, a.dimensions), rows: a.rows, columns: b.rows };
  } catch (error) {
    const cause = fromNative(error);
    if (!isGtewayError(cause, 'ERR_OUT_OF_MEMORY')) throw cause;
    throw new RangeError(
      `similarityMatrix: no room for ${a.rows} × ${b.rows} cosines (${4 * a.rows * b.rows} bytes); compare fewer rows at once`,
      { cause },
    );
  }
}
