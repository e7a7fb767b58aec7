/**
 * The correctness gate: a variant whose vectors are not those of the model is not timed.
 *
 * The least cosine each precision must keep to the reference. fp32 leaves room for other orders of summation; int8 with
 * dynamically quantised activations is as inexact as its makers left it, and the table says how inexact.
 */
import { existsSync, readFileSync } from 'node:fs';

export const leastCosine = { auto: 0.9999, fp32: 0.9999, bf16: 0.9999, int8: 0.99 };

/**
 * @param {ArrayLike<number>} a
 * @param {ArrayLike<number>} b
 */
export function cosine(a, b) {
  let product = 0;
  let squaresOfA = 0;
  let squaresOfB = 0;
  for (let i = 0; i < a.length; i++) {
    product += a[i] * b[i];
    squaresOfA += a[i] * a[i];
    squaresOfB += b[i] * b[i];
  }
  return product / Math.sqrt(squaresOfA * squaresOfB);
}

/**
 * The smallest cosine between rows of the same number; NaN where there is nothing to compare.
 *
 * @param {{ data: Float32Array, dimensions: number }} vectors
 * @param {ArrayLike<number>[]} expected
 */
export function smallestCosine({ data, dimensions }, expected) {
  if (data.length !== expected.length * dimensions || dimensions !== expected[0]?.length) return NaN;
  return Math.min(
    ...expected.map((row, index) => cosine(data.subarray(index * dimensions, (index + 1) * dimensions), row)),
  );
}

/**
 * @param {{ data: Float32Array, dimensions: number }} vectors
 * @returns {Float32Array[]}
 */
export function rowsOf({ data, dimensions }) {
  return Array.from({ length: data.length / dimensions }, (_, row) =>
    data.subarray(row * dimensions, (row + 1) * dimensions),
  );
}

/**
 * `wanted` texts with float64 reference vectors, spread over all lengths.
 *
 * @param {string | undefined} path JSON lines of { text, tokens, embedding }
 * @param {number} wanted
 * @param {number} maxTokens
 * @returns {{ text: string, embedding: number[] }[]}
 */
export function goldenVectors(path, wanted, maxTokens) {
  if (path === undefined || !existsSync(path)) return [];
  const all = readFileSync(path, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
    .filter(({ tokens }) => tokens <= maxTokens)
    .sort((a, b) => a.tokens - b.tokens);
  return Array.from({ length: Math.min(wanted, all.length) }, (_, index) => {
    return all[Math.floor(((index + 0.5) / Math.min(wanted, all.length)) * all.length)];
  });
}

/** @typedef {{ name: string, leastCosine: number, failure?: string }} Verdict */

/**
 * Compares every variant with float64 vectors of the model.
 *
 * @param {import('./contestant.mjs').Contestant[]} contestants
 * @param {{ text: string, embedding: number[] }[]} golden
 */
export async function passGate(contestants, golden) {
  /** @type {Verdict[]} */
  const entries = [];
  if (golden.length === 0) return entries;
  const texts = golden.map(({ text }) => text);
  const expected = golden.map(({ embedding }) => embedding);
  for (const contestant of contestants) {
    const vectors = await contestant.embed(texts).catch(firstLine);
    entries.push({ name: contestant.name, ...judge(vectors, expected, contestant.variant.dtype) });
  }
  return entries;
}

/**
 * @param {import('../drivers/driver.mjs').Vectors | string} vectors or why there are none
 * @param {ArrayLike<number>[] | undefined} expected
 * @param {import('../drivers/driver.mjs').Dtype} dtype
 * @returns {{ leastCosine: number, failure?: string }}
 */
export function judge(vectors, expected, dtype) {
  if (typeof vectors === 'string') return { leastCosine: NaN, failure: vectors };
  if (!expected) return { leastCosine: NaN };
  const least = smallestCosine(vectors, expected);
  if (least >= leastCosine[dtype]) return { leastCosine: least };
  return {
    leastCosine: least,
    failure: `a cosine of ${least} to the reference; ${dtype} needs ${leastCosine[dtype]}`,
  };
}

/** @param {unknown} error */
export function firstLine(error) {
  return (error instanceof Error ? error.message : String(error)).split('\n')[0];
}
