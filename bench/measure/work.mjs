/** How much there is to compute and to read in embedding a text with a BERT-shaped encoder. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** @typedef {{ num_hidden_layers: number, hidden_size: number, intermediate_size: number }} Shape as in config.json */

const bytesPerWeight = { auto: NaN, fp32: 4, bf16: 2, int8: 1 };

/**
 * @param {string} modelDirectory
 * @returns {Shape}
 */
export function shapeOf(modelDirectory) {
  return JSON.parse(readFileSync(join(modelDirectory, 'config.json'), 'utf8'));
}

/**
 * Weights of the layers' matrix products: query, key, value and output projections, and the two of the feed-forward
 * network. Without the embedding table, of which a text reads only a few rows.
 *
 * @param {Shape} shape
 */
function productWeights({ num_hidden_layers: layers, hidden_size: hidden, intermediate_size: inner }) {
  return layers * (4 * hidden * hidden + 2 * hidden * inner);
}

/**
 * Multiplications and additions of the matrix products and of attention, on real tokens: padding, softmax, GELU and
 * normalisation are not counted.
 *
 * @param {Shape} shape
 * @param {number[]} lengths tokens of each text
 */
export function operations(shape, lengths) {
  const perToken = 2 * productWeights(shape);
  // Scores and weighted sums: each token with each, over all heads the hidden size, twice.
  const perPair = 4 * shape.num_hidden_layers * shape.hidden_size;
  return lengths.reduce((sum, tokens) => sum + perToken * tokens + perPair * tokens * tokens, 0);
}

/**
 * What a text has to read once, however short it is.
 *
 * @param {Shape} shape
 * @param {import('../drivers/driver.mjs').Dtype} dtype
 * @returns {number} bytes; NaN for `auto`
 */
export function weightBytes(shape, dtype) {
  return productWeights(shape) * bytesPerWeight[dtype];
}
