/**
 * What onnxruntime-node and onnxruntime-web need around them, as a careful user would write it: texts sorted by length,
 * batches bounded in padded tokens, mean pooling and normalisation in JavaScript.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Tokenizer } from '@huggingface/tokenizers';

const maxTokens = 512;
/** Padded tokens of a batch that are tried: with fewer, calls cost more than padding; with more, nothing was ever faster. */
const batchSizes = [256, 512, 1024, 2048];
/** How often each size is tried; the fastest time counts. */
const trials = 2;

/**
 * @param {string} modelDirectory
 * @param {any} Tensor of the runtime
 * @param {(feeds: any) => Promise<any>} run
 * @returns {Pick<import('./driver.mjs').Loaded, 'embed' | 'tune'>}
 */
export function paddedBatches(modelDirectory, Tensor, run) {
  const read = (/** @type {string} */ name) => JSON.parse(readFileSync(join(modelDirectory, name), 'utf8'));
  const tokenizer = new Tokenizer(read('tokenizer.json'), read('tokenizer_config.json'));
  let batchTokens = 512;

  const encode = (/** @type {string} */ text) => {
    const { ids } = tokenizer.encode(text);
    // What is cut comes before the closing [SEP].
    return ids.length <= maxTokens ? ids : [...ids.slice(0, maxTokens - 1), ids[ids.length - 1]];
  };

  /** @param {number[][]} rows */
  const forward = async (rows) => {
    const longest = Math.max(...rows.map((ids) => ids.length));
    const dims = [rows.length, longest];
    const ids = new BigInt64Array(rows.length * longest);
    const mask = new BigInt64Array(rows.length * longest);
    rows.forEach((row, index) => {
      row.forEach((id, token) => (ids[index * longest + token] = BigInt(id)));
      mask.fill(1n, index * longest, index * longest + row.length);
    });
    const { last_hidden_state: output } = await run({
      input_ids: new Tensor('int64', ids, dims),
      attention_mask: new Tensor('int64', mask, dims),
      token_type_ids: new Tensor('int64', new BigInt64Array(ids.length), dims),
    });
    return { hidden: /** @type {Float32Array} */ (output.data), dimensions: output.dims[2], longest };
  };

  /** @param {string[]} texts */
  const embed = async (texts) => {
    const rows = texts.map((text, index) => ({ index, ids: encode(text) }));
    rows.sort((a, b) => a.ids.length - b.ids.length);
    let data = new Float32Array(0);
    let width = 0;
    for (let first = 0; first < rows.length;) {
      let end = first + 1;
      while (end < rows.length && (end + 1 - first) * rows[end].ids.length <= batchTokens) end++;
      const batch = rows.slice(first, end);
      const { hidden, dimensions, longest } = await forward(batch.map(({ ids }) => ids));
      if (width === 0) data = new Float32Array(texts.length * (width = dimensions));
      batch.forEach(({ index, ids }, row) => {
        const out = data.subarray(index * dimensions, (index + 1) * dimensions);
        meanPool(hidden.subarray(row * longest * dimensions), ids.length, out);
      });
      first = end;
    }
    return { data, dimensions: width };
  };

  return {
    embed,
    async tune(texts) {
      const seconds = new Map(batchSizes.map((size) => [size, Infinity]));
      for (let trial = 0; trial < trials; trial++) {
        for (const size of batchSizes) {
          batchTokens = size;
          const began = performance.now();
          await embed(texts);
          seconds.set(size, Math.min(seconds.get(size), performance.now() - began));
        }
      }
      batchTokens = [...seconds].sort(([, a], [, b]) => a - b)[0][0];
      return `batches of ${batchTokens} padded tokens`;
    },
  };
}

/**
 * @param {Float32Array} hidden
 * @param {number} tokens
 * @param {Float32Array} out becomes the unit vector of the mean of the first `tokens` rows of `hidden`
 */
function meanPool(hidden, tokens, out) {
  const width = out.length;
  for (let token = 0; token < tokens; token++) {
    for (let column = 0; column < width; column++) out[column] += hidden[token * width + column];
  }
  let squares = 0;
  for (const value of out) squares += value * value;
  const scale = 1 / Math.sqrt(squares);
  for (let column = 0; column < width; column++) out[column] *= scale;
}
