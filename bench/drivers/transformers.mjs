/** @huggingface/transformers, used the two ways that its users use it. */
import { basename, dirname } from 'node:path';
import { concatenate } from './rows.mjs';

/** @type {import('./driver.mjs').Variant[]} */
export const variants = [
  {
    name: 'transformers.js fp32, one per call',
    dtype: 'fp32',
    way: 'single',
    kinds: ['corpus', 'latency'],
    quick: true,
  },
  { name: 'transformers.js q8, one per call', dtype: 'int8', way: 'single', kinds: ['corpus', 'latency'], quick: true },
  { name: 'transformers.js fp32, batches of 32', dtype: 'fp32', way: 'batches', kinds: ['corpus'], texts: 32 },
  { name: 'transformers.js q8, batches of 32', dtype: 'int8', way: 'batches', kinds: ['corpus'], texts: 32 },
];

/** @type {import('./driver.mjs').Driver['load']} */
export async function load(modelDirectory, variant, { threads }) {
  const { env, pipeline } = await import('@huggingface/transformers');
  env.allowRemoteModels = false;
  env.localModelPath = dirname(modelDirectory);
  const extract = await pipeline('feature-extraction', basename(modelDirectory), {
    dtype: variant.dtype === 'int8' ? 'q8' : 'fp32',
    session_options: { intraOpNumThreads: threads },
  });
  const size = variant.way === 'single' ? 1 : 32;
  return {
    embed(texts) {
      const batches = [];
      for (let first = 0; first < texts.length; first += size) batches.push(texts.slice(first, first + size));
      return concatenate(
        batches.map((batch) => async () => {
          const { data, dims } = await extract(batch, { pooling: 'mean', normalize: true });
          return { data: /** @type {Float32Array} */ (data), dimensions: dims[1] };
        }),
      );
    },
    request: (text) => extract(text, { pooling: 'mean', normalize: true }),
    close: () => extract.dispose(),
    info: { version: env.version },
  };
}
