/** What `session.embed` returns: vectors in one typed array, and the encodings that APIs and vector stores take. */
import type { GtewayError } from '../errors.js';
import { binding } from '../native/binding.js';
import { bitText, halfvecText, vectorText } from './pgvector-text.js';

/**
 * Vectors of a list of texts, row-major in one Float32Array that JavaScript owns.
 *
 * Iterating gives the rows, as views of `data`.
 */
export class Embeddings implements Iterable<Float32Array> {
  /** rows × dimensions values. */
  readonly data: Float32Array;
  /** One per text; with `pooling: 'none'` one per token, text after text. */
  readonly rows: number;
  /** Values in a row. */
  readonly dimensions: number;
  /** How many tokens of each text were embedded, special tokens counted. */
  readonly tokens: Uint32Array;
  /** Which texts were cut because they were longer than the model takes. */
  readonly truncated: readonly boolean[];
  /**
   * With `onError: 'continue'`: the texts that failed, by their place, and why. Their rows are NaN; with
   * `pooling: 'none'` they have none.
   */
  readonly errors: ReadonlyMap<number, GtewayError>;

  /** @internal */
  constructor(
    data: Float32Array,
    dimensions: number,
    tokens: Uint32Array,
    truncated: readonly boolean[],
    errors: ReadonlyMap<number, GtewayError> = new Map(),
  ) {
    this.data = data;
    this.rows = dimensions === 0 ? 0 : data.length / dimensions;
    this.dimensions = dimensions;
    this.tokens = tokens;
    this.truncated = truncated;
    this.errors = errors;
  }

  /**
   * Row `i` as a view: it shares memory with `data`. Negative counts from the end.
   * Throws RangeError where there is no such row.
   */
  at(i: number): Float32Array {
    const row = i < 0 ? this.rows + i : i;
    if (!Number.isInteger(row) || row < 0 || row >= this.rows) {
      throw new RangeError(`embeddings.at(${i}): there are ${this.rows} rows`);
    }
    return this.data.subarray(row * this.dimensions, (row + 1) * this.dimensions);
  }

  *[Symbol.iterator](): IterableIterator<Float32Array> {
    for (let row = 0; row < this.rows; row++) yield this.at(row);
  }

  /** Row `i` as base64 of its little-endian float32 bytes: OpenAI's `encoding_format: 'base64'`. */
  toBase64(i: number): string {
    const row = this.at(i);
    return Buffer.from(row.buffer, row.byteOffset, row.byteLength).toString('base64');
  }

  /**
   * Row `i` as pgvector's `vector` reads it: `[0.1,-0.2]`, with the fewest digits that give the same float32 back. Throws
   * RangeError where a value is not finite: pgvector refuses those.
   */
  toPgVector(i: number): string {
    return vectorText(this.at(i), `embeddings.toPgVector(${i})`);
  }

  /**
   * Row `i` as pgvector's `halfvec` reads it, each value rounded to its nearest 16-bit float, ties to even, as pgvector
   * would round it. Throws RangeError beyond ±65504, the largest of them.
   */
  toPgHalfvec(i: number): string {
    return halfvecText(this.at(i), `embeddings.toPgHalfvec(${i})`);
  }

  /** Row `i` as pgvector's `bit` reads it: a 1 for each value above zero, `0110…`. Throws RangeError for NaN. */
  toPgBit(i: number): string {
    return bitText(this.at(i), `embeddings.toPgBit(${i})`);
  }

  /**
   * Every row as 8-bit integers, rows × dimensions. Each row is scaled by itself, so that its largest component becomes
   * 127 or -127: that keeps the most precision and does not change cosines, but compare such rows by cosine only.
   */
  toInt8(): Int8Array {
    const out = new Int8Array(this.data.length);
    for (let row = 0; row < this.rows; row++) {
      const values = this.at(row);
      let largest = 0;
      for (const value of values) largest = Math.max(largest, Math.abs(value));
      out.set(binding().toInt8(values, largest > 0 ? 127 / largest : 0), row * this.dimensions);
    }
    return out;
  }

  /**
   * One bit per value, set where it is above zero: rows × ceil(dimensions / 8) bytes, most significant bit first, as
   * pgvector's `bit` type and FAISS's binary indexes read them. Compare by Hamming distance.
   */
  toBits(): Uint8Array {
    return this.rows === 0 ? new Uint8Array(0) : binding().toBits(this.data, this.dimensions);
  }
}
