/** Exact search in memory: the rows nearest to a query, by the addon's kernels on threads of their own. */
import { types } from 'node:util';
import { rejectUnknownKeys } from '../arguments/known-names.js';
import { show } from '../arguments/show.js';
import { binding } from '../native/binding.js';
import { fromNative } from '../native/errors.js';
import type { Matrix, Vector } from '../vectors/similarity.js';
import { type AnyMatrix, checkedForm, checkedQueries, type Form } from './matrices.js';

/** A row that was found. */
export interface Hit {
  /** Its place in the embeddings, from 0. */
  readonly index: number;
  /** Higher is nearer, at most 1: see `topK`. */
  readonly score: number;
}

export interface TopKOptions {
  /**
   * The float32 rows that int8 or bit rows were made of: the best `candidates` by those are scored again by these, and the
   * scores are cosines of these. They are read in place, after the search of the coarse rows.
   */
  rescore?: Matrix;
  /**
   * How many rows to score again, at least k.
   *
   * @default 4 × k for int8, 16 × k for bits
   */
  candidates?: number;
}

/** @internal Each option's name, for a message that names the nearest. */
export const topKOptionNames = ['rescore', 'candidates'] as const satisfies readonly (keyof TopKOptions)[];

const candidatesPerHit: Readonly<Record<Form, number>> = { float32: 1, int8: 4, bits: 16 };

/**
 * The `k` rows of `embeddings` nearest to a query, best first, of equal scores the one with the lower index first. Every row
 * is looked at: the result is that of a plain loop.
 *
 * The score is the cosine in float64 for float32 rows (vectors need not be normalised; 0 where one is the zero vector); the
 * cosine of the integers for int8 rows, the query scaled as `Embeddings.toInt8` scales a row; for bits 1 - 2 × Hamming
 * distance / dimensions. Rows with NaN or infinities (those of texts that failed) are never hits, so there may be fewer
 * than `k`, as where there are fewer rows; int8 and bits have no NaN, and only rescoring leaves such rows out.
 *
 * Large searches run on native threads, one search after the other on all of them; the event loop goes on. Their rows
 * are copied before `topK` returns, so that detaching or resizing the buffer harms nothing; rows in a SharedArrayBuffer,
 * which can be neither detached nor shrunk, are read in place, without a copy: leave them as they are until the result is
 * there.
 *
 * Rejects with `TypeError` or `RangeError` for what is no vector, no matrix or no number of hits, for different dimensions,
 * and for queries that are not finite; with `ERR_OUT_OF_MEMORY` where there is no room for the copy.
 *
 * @param query one vector, for a list of hits; a matrix or a list of vectors, for a list of lists, in their order
 * @param embeddings rows × dimensions: what `Session.embed` returns, or `{ data: embeddings.toInt8(), rows, dimensions }`
 *   or the same with `toBits()`; at most 131,071 dimensions
 * @param k how many hits to find, at least 1
 *
 * @example
 * const hits = await topK(await session.run('a small dog'), embeddings, 3);
 */
export async function topK(query: Vector, embeddings: AnyMatrix, k: number, options?: TopKOptions): Promise<Hit[]>;
export async function topK(
  queries: Matrix | readonly Vector[],
  embeddings: AnyMatrix,
  k: number,
  options?: TopKOptions,
): Promise<Hit[][]>;
export async function topK(
  query: Vector | Matrix | readonly Vector[],
  embeddings: AnyMatrix,
  k: number,
  options: TopKOptions = {},
): Promise<Hit[] | Hit[][]> {
  const form = checkedForm('embeddings', embeddings);
  const queries = checkedQueries(query, embeddings.dimensions);
  checkCount('k', k, 1);
  rejectUnknownKeys(options, topKOptionNames, 'topK');
  const { rescore, candidates = Math.min(k * candidatesPerHit[form], Number.MAX_SAFE_INTEGER) } = options;
  if (rescore === undefined) {
    if (options.candidates !== undefined)
      throw new TypeError('topK: candidates says how many rows to rescore: give rescore');
    const found = await search(embeddings, form, queries.data, k);
    return queries.single ? (found[0] ?? []) : found;
  }

  checkRescore(rescore, embeddings, form);
  checkCount('candidates', candidates, k);
  const found = await search(embeddings, form, queries.data, candidates);
  const results: Hit[][] = [];
  for (const [i, coarse] of found.entries()) {
    const first = i * embeddings.dimensions;
    results.push(await scoredAgain(queries.data.slice(first, first + embeddings.dimensions), rescore, coarse, k));
  }
  return queries.single ? (results[0] ?? []) : results;
}

function checkCount(name: string, value: unknown, least: number): void {
  if (Number.isSafeInteger(value) && (value as number) >= least) return;
  throw new RangeError(`topK: ${name} must be an integer of at least ${least}, not ${show(value)}`);
}

function checkRescore(rescore: Matrix, embeddings: AnyMatrix, form: Form): void {
  if (form === 'float32') throw new TypeError('topK: float32 rows have their exact scores already; leave rescore out');
  if (checkedForm('rescore', rescore) !== 'float32') throw new TypeError('topK: rescore must be float32 rows');
  if (rescore.rows === embeddings.rows && rescore.dimensions === embeddings.dimensions) return;
  throw new RangeError(
    `topK: rescore has ${rescore.rows} rows of ${rescore.dimensions} dimensions, ` +
      `embeddings ${embeddings.rows} of ${embeddings.dimensions}: they must be forms of the same rows`,
  );
}

async function search(rows: AnyMatrix, form: Form, queries: Float32Array, k: number): Promise<Hit[][]> {
  const shared = types.isSharedArrayBuffer(rows.data.buffer);
  try {
    const { counts, indices, scores } = await binding().topK(rows.data, shared, form, rows.dimensions, queries, k);
    let next = 0;
    return Array.from(counts, (count) => {
      const first = next;
      next += count;
      return Array.from({ length: count }, (_, i) => ({
        index: indices[first + i] ?? 0,
        score: scores[first + i] ?? NaN,
      }));
    });
  } catch (error) {
    throw fromNative(error);
  }
}

/** The candidates' own rows, searched alone. In the order of their places, so that ties are decided as among all rows. */
async function scoredAgain(query: Float32Array, from: Matrix, candidates: readonly Hit[], k: number): Promise<Hit[]> {
  const { dimensions } = from;
  if (from.data.length !== from.rows * dimensions) {
    throw new TypeError('topK: the rows of rescore were detached or resized during the search');
  }
  const places = candidates.map(({ index }) => index).sort((a, b) => a - b);
  const data = new Float32Array(places.length * dimensions);
  for (const [i, place] of places.entries()) {
    data.set(from.data.subarray(place * dimensions, (place + 1) * dimensions), i * dimensions);
  }
  const [hits = []] = await search({ data, rows: places.length, dimensions }, 'float32', query, k);
  return hits.map(({ index, score }) => ({ index: places[index] ?? 0, score }));
}
