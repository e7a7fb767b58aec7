/**
 * Ways to search. `build` gets the rows ready and says how long that took by returning; `search` finds the places of the k
 * nearest for each query, best first; `many`, where there is a way of its own for it, does so for all queries at once.
 *
 * @typedef {{ data: Float32Array, rows: number, dimensions: number }} Rows
 * @typedef {{
 *   search(query: Float32Array, k: number): Promise<ArrayLike<number | bigint>> | ArrayLike<number | bigint>,
 *   many?(queries: Rows, k: number): Promise<unknown> | unknown,
 * }} Searching
 * @typedef {{ name: string, exact: boolean, build(rows: Rows, threads: number): Promise<Searching | undefined> | Searching | undefined }} Contestant
 */
import { createRequire } from 'node:module';
import { Embeddings } from '../../dist/vectors/embeddings.js';
import { topK } from '../../dist/index.js';

/** What most people write first. @type {Contestant} */
const loop = {
  name: 'a plain loop in JavaScript',
  exact: true,
  build: ({ data, rows, dimensions }) => ({
    search(query, k) {
      /** @type {{ index: number, score: number }[]} */
      const best = [];
      let least = -Infinity;
      for (let row = 0, at = 0; row < rows; row++) {
        let score = 0;
        for (let d = 0; d < dimensions; d++) score += query[d] * data[at++];
        if (best.length === k && score <= least) continue;
        let place = best.length;
        while (place > 0 && best[place - 1].score < score) place--;
        best.splice(place, 0, { index: row, score });
        if (best.length > k) best.pop();
        least = best.length === k ? best[k - 1].score : -Infinity;
      }
      return best.map(({ index }) => index);
    },
  }),
};

/** @param {Rows} rows */
const embeddingsOf = ({ data, rows, dimensions }) =>
  new Embeddings(data, dimensions, new Uint32Array(rows), new Array(rows).fill(false));

/** @param {Float32Array | Int8Array | Uint8Array} array rows of a form, in memory that is searched in place */
function shared(array) {
  const Kind = /** @type {any} */ (array.constructor);
  const copy = new Kind(new SharedArrayBuffer(array.byteLength));
  copy.set(array);
  return copy;
}

/**
 * @param {string} name
 * @param {'float32' | 'int8' | 'bits'} form
 * @param {number} [candidates] for each hit, to be scored again
 * @returns {Contestant}
 */
function topKOf(name, form, candidates) {
  return {
    name,
    exact: form === 'float32',
    build(rows) {
      const embeddings = embeddingsOf(rows);
      const made = form === 'float32' ? rows.data : form === 'int8' ? embeddings.toInt8() : embeddings.toBits();
      const { rows: count, dimensions } = rows;
      const matrix = { data: shared(made), rows: count, dimensions };
      /** @param {number} k */
      const options = (k) => (candidates === undefined ? {} : { rescore: rows, candidates: k * candidates });
      return {
        search: async (query, k) => (await topK(query, matrix, k, options(k))).map(({ index }) => index),
        many: (queries, k) => topK(queries, matrix, k, options(k)),
      };
    },
  };
}

/**
 * @param {'f32' | 'i8'} quantization
 * @param {number} expansion how far a search looks around
 * @param {number} seconds after which a build is given up
 * @returns {Contestant}
 */
function usearch(quantization, expansion, seconds) {
  return {
    name: `usearch HNSW ${quantization}, M 16, ef ${expansion}`,
    exact: false,
    build({ data, rows, dimensions }, threads) {
      // Its ES module looks for the addon from whatever file is run.
      const { Index } = createRequire(import.meta.url)('usearch');
      const index = new Index(
        /** @type {any} */ ({
          dimensions,
          metric: 'cos',
          quantization,
          connectivity: 16,
          expansion_add: 128,
          expansion_search: expansion,
        }),
      );
      const begin = performance.now();
      const atOnce = 5000;
      for (let row = 0; row < rows; row += atOnce) {
        if (performance.now() - begin > seconds * 1000) return undefined;
        const until = Math.min(rows, row + atOnce);
        const keys = BigUint64Array.from({ length: until - row }, (_, i) => BigInt(row + i));
        index.add(keys, data.subarray(row * dimensions, until * dimensions), threads);
      }
      return {
        search: (query, k) => index.search(query, k, 1).keys,
        many: (queries, k) => index.search(queries.data, k, threads),
      };
    },
  };
}

/** @param {number} seconds that a build may take @returns {Contestant[]} */
export const contestants = (seconds) => [
  loop,
  topKOf('topK float32', 'float32'),
  topKOf('topK int8', 'int8'),
  topKOf('topK int8, 4 k scored again', 'int8', 4),
  topKOf('topK bits', 'bits'),
  topKOf('topK bits, 16 k scored again', 'bits', 16),
  usearch('f32', 64, seconds),
  usearch('i8', 64, seconds),
];

/** Of int8 and bits, by how many candidates for each hit are scored again. @type {Contestant[]} */
export const candidateContestants = /** @type {const} */ (['int8', 'bits']).flatMap((form) =>
  [1, 2, 4, 8, 16, 32].map((candidates) => topKOf(`${form}, ${candidates} k`, form, candidates)),
);
