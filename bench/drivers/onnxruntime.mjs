/**
 * onnxruntime-node by hand, as a careful user would: texts sorted by length, batches bounded in padded tokens, mean
 * pooling and normalisation in JavaScript.
 */
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** @type {import('./driver.mjs').Variant[]} */
export const variants = [
  { name: 'onnxruntime-node fp32, sorted', dtype: 'fp32', way: 'together' },
  { name: 'onnxruntime-node int8, sorted', dtype: 'int8', way: 'together' },
];

const files = { fp32: 'model.onnx', int8: 'model_quantized.onnx' };
const maxTokens = 512;
/** Of 128 to 4096, tried on queries and mixed texts with two threads: 256 to 1024 differ by less than noise, more is slower. */
const batchTokens = 512;

/** @type {import('./driver.mjs').Driver['load']} */
export async function load(modelDirectory, variant, { threads }) {
  const { InferenceSession, Tensor } = await import('onnxruntime-node');
  const { Tokenizer } = await import('@huggingface/tokenizers');
  const read = (/** @type {string} */ name) => JSON.parse(readFileSync(join(modelDirectory, name), 'utf8'));
  const tokenizer = new Tokenizer(read('tokenizer.json'), read('tokenizer_config.json'));
  const session = await InferenceSession.create(join(modelDirectory, 'onnx', files[variant.dtype]), {
    intraOpNumThreads: threads,
  });

  const encode = (/** @type {string} */ text) => {
    const { ids } = tokenizer.encode(text);
    // What is cut comes before the closing [SEP].
    return ids.length <= maxTokens ? ids : [...ids.slice(0, maxTokens - 1), ids[ids.length - 1]];
  };

  /** @param {number[][]} rows */
  const run = async (rows) => {
    const longest = Math.max(...rows.map((ids) => ids.length));
    const dims = [rows.length, longest];
    const ids = new BigInt64Array(rows.length * longest);
    const mask = new BigInt64Array(rows.length * longest);
    rows.forEach((row, index) => {
      row.forEach((id, token) => (ids[index * longest + token] = BigInt(id)));
      mask.fill(1n, index * longest, index * longest + row.length);
    });
    const { last_hidden_state: output } = await session.run({
      input_ids: new Tensor('int64', ids, dims),
      attention_mask: new Tensor('int64', mask, dims),
      token_type_ids: new Tensor('int64', new BigInt64Array(ids.length), dims),
    });
    return { hidden: /** @type {Float32Array} */ (output.data), dimensions: output.dims[2], longest };
  };

  return {
    async embed(texts) {
      const rows = texts.map((text, index) => ({ index, ids: encode(text) }));
      rows.sort((a, b) => a.ids.length - b.ids.length);
      let data = new Float32Array(0);
      let width = 0;
      for (let first = 0; first < rows.length;) {
        let end = first + 1;
        while (end < rows.length && (end + 1 - first) * rows[end].ids.length <= batchTokens) end++;
        const batch = rows.slice(first, end);
        const { hidden, dimensions, longest } = await run(batch.map(({ ids }) => ids));
        if (width === 0) data = new Float32Array(texts.length * (width = dimensions));
        batch.forEach(({ index, ids }, row) => {
          const out = data.subarray(index * dimensions, (index + 1) * dimensions);
          meanPool(hidden.subarray(row * longest * dimensions), ids.length, out);
        });
        first = end;
      }
      return { data, dimensions: width };
    },
    close: () => session.release(),
    info: { version: createRequire(import.meta.url)('onnxruntime-node/package.json').version },
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
