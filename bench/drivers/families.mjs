/**
 * The contestants of `npm run bench -- families`: for each what a careful user would write around it. Their variants are in
 * families/run.mjs. An item is a text, or a pair of a query and a text; a row is a unit vector, or a score.
 *
 * @import { Item } from '../families/inputs.mjs'
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { inputsOf } from '../families/inputs.mjs';
import { concatenate } from './rows.mjs';

/** @type {import('./driver.mjs').Variant[]} None that takes part in the cases of one model. */
export const variants = [];

/** @type {import('./driver.mjs').Driver['load']} */
export async function load(modelDirectory, variant, { threads }) {
  const { library, task, pooling, maxTokens, modelFile } = /** @type {any} */ (variant.session);
  const options = { modelDirectory, dtype: variant.dtype, threads, task, pooling, maxTokens };
  if (library === 'gteway') return gteway({ ...options, modelFile });
  if (library === 'loop') return loop(options);
  return library === 'transformers' ? transformers(options) : onnxruntime(options);
}

/**
 * @typedef {{ modelDirectory: string, dtype: string, threads: number, task: import('../families/models.mjs').FamilyModel['task'], pooling: 'mean' | 'cls',
 *   maxTokens: number }} Options
 */

/** @param {Options & { modelFile: string }} options */
async function gteway({ modelDirectory, dtype, threads, task, modelFile }) {
  const library = await import(new URL('../../dist/index.js', import.meta.url).href);
  const loaded = { engine: 'encoder', dtype, threads, modelFile };
  if (task !== 'rerank') {
    const session = await library.Session.load(modelDirectory, task === 'static' ? { threads } : loaded);
    const embed = async (/** @type {string[]} */ texts) => {
      const { data, dimensions } = await session.embed(texts);
      return { data, dimensions };
    };
    return { embed, close: () => session.close(), info: session.info };
  }
  const reranker = await library.Reranker.load(modelDirectory, loaded);
  const embed = async (/** @type {any[]} */ pairs) => ({
    data: Float32Array.from(await reranker.score(pairs, { activation: 'none' })),
    dimensions: 1,
  });
  return { embed, close: () => reranker.close(), info: reranker.info };
}

const batchSizes = [256, 512, 1024, 2048];

/** @param {Options} options sorted by length, in batches of the best of four sizes */
async function onnxruntime({ modelDirectory, dtype, threads, task, pooling, maxTokens }) {
  const { InferenceSession, Tensor } = await import('onnxruntime-node');
  const file = dtype === 'int8' ? 'model_quantized.onnx' : 'model.onnx';
  const session = await InferenceSession.create(join(modelDirectory, 'onnx', file), { intraOpNumThreads: threads });
  const inputs = inputsOf(modelDirectory, maxTokens);
  let batchTokens = 512;
  const embed = async (/** @type {any[]} */ items) => {
    const rows = items.map((item, index) => ({ index, ...inputs.encode(item) }));
    rows.sort((a, b) => a.ids.length - b.ids.length);
    /** @type {Float32Array[]} */
    const results = [];
    for (let first = 0; first < rows.length;) {
      let end = first + 1;
      while (end < rows.length && (end + 1 - first) * rows[end].ids.length <= batchTokens) end++;
      const batch = rows.slice(first, end);
      const { feeds, longest } = inputs.feeds(batch, Tensor, session.inputNames);
      const { [session.outputNames[0]]: output } = await session.run(feeds);
      const data = /** @type {Float32Array} */ (output.data);
      const width = /** @type {number} */ (output.dims.at(-1));
      batch.forEach(({ index, ids }, row) => {
        results[index] =
          task === 'rerank'
            ? data.slice(row * width, (row + 1) * width)
            : pooled(data.subarray(row * longest * width), pooling === 'cls' ? 1 : ids.length, width);
      });
      first = end;
    }
    return concatenate(results.map((data) => async () => ({ data, dimensions: data.length })));
  };
  return {
    embed,
    async tune(/** @type {string[]} */ items) {
      let best = Infinity;
      let chosen = batchTokens;
      for (const size of batchSizes) {
        batchTokens = size;
        const began = performance.now();
        await embed(items);
        if (performance.now() - began >= best) continue;
        best = performance.now() - began;
        chosen = size;
      }
      batchTokens = chosen;
      return `batches of ${chosen} padded tokens`;
    },
    close: () => session.release(),
    info: { version: createRequire(import.meta.url)('onnxruntime-node/package.json').version },
  };
}

/**
 * @param {Float32Array} rows
 * @param {number} tokens whose mean is taken
 * @param {number} width
 */
function pooled(rows, tokens, width) {
  const out = new Float32Array(width);
  for (let token = 0; token < tokens; token++) for (let d = 0; d < width; d++) out[d] += rows[token * width + d];
  const length = Math.hypot(...out);
  return out.map((value) => value / length);
}

/** @param {Options} options a static model as JavaScript has it: Hugging Face's tokenizer and loops over the table */
async function loop({ modelDirectory, maxTokens }) {
  const inputs = inputsOf(modelDirectory, maxTokens, false);
  const file = readFileSync(join(modelDirectory, 'model.safetensors'));
  const begin = 8 + Number(file.readBigUInt64LE(0));
  const { embeddings } = JSON.parse(file.toString('utf8', 8, begin));
  const width = embeddings.shape[1];
  const table = new Float32Array(file.buffer.slice(file.byteOffset + begin, file.byteOffset + file.byteLength));
  const { unk_token: unknown, vocab } = JSON.parse(readFileSync(join(modelDirectory, 'tokenizer.json'), 'utf8')).model;
  const embed = async (/** @type {string[]} */ texts) => {
    const data = new Float32Array(texts.length * width);
    texts.forEach((text, index) => {
      const out = data.subarray(index * width, (index + 1) * width);
      for (const id of inputs.encode(text).ids) {
        if (id === vocab[unknown]) continue;
        for (let d = 0; d < width; d++) out[d] += table[id * width + d];
      }
      let squares = 0;
      for (const value of out) squares += value * value;
      const scale = 1 / Math.max(Math.sqrt(squares), 1e-12);
      for (let d = 0; d < width; d++) out[d] *= scale;
    });
    return { data, dimensions: width };
  };
  return { embed, close: async () => {}, info: {} };
}

/** @param {Options} options one item a call: padding makes batches of mixed lengths slower */
async function transformers({ modelDirectory, dtype, threads, task, pooling }) {
  const { AutoModelForSequenceClassification, AutoTokenizer, env, pipeline } =
    await import('@huggingface/transformers');
  env.allowRemoteModels = false;
  env.localModelPath = dirname(modelDirectory);
  const name = basename(modelDirectory);
  const options = {
    dtype: /** @type {'q8' | 'fp32'} */ (dtype === 'int8' ? 'q8' : 'fp32'),
    session_options: { intraOpNumThreads: threads },
  };
  if (task === 'embed') {
    const extract = await pipeline('feature-extraction', name, options);
    const one = async (/** @type {string} */ text) => {
      const { data, dims } = await extract([text], { pooling, normalize: true });
      return { data: /** @type {Float32Array} */ (data), dimensions: dims[1] };
    };
    return {
      embed: (/** @type {string[]} */ texts) => concatenate(texts.map((text) => () => one(text))),
      close: () => extract.dispose(),
      info: { version: env.version },
    };
  }
  const tokenizer = await AutoTokenizer.from_pretrained(name);
  const model = await AutoModelForSequenceClassification.from_pretrained(name, options);
  const one = async (/** @type {Item} */ [query, text]) => {
    const { logits } = await model(tokenizer(query, { text_pair: text, truncation: true }));
    return { data: /** @type {Float32Array} */ (logits.data), dimensions: 1 };
  };
  return {
    embed: (/** @type {any[]} */ pairs) => concatenate(pairs.map((pair) => () => one(pair))),
    close: () => model.dispose(),
    info: { version: env.version },
  };
}
