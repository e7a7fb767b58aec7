/** onnxruntime-web in Node: WebAssembly with SIMD and threads, as it runs where there is no native addon. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** @type {import('./driver.mjs').Variant[]} */
export const variants = [
  { name: 'onnxruntime-web fp32, sorted', dtype: 'fp32', way: 'together', kinds: ['corpus'], texts: 16 },
  { name: 'onnxruntime-web int8, sorted', dtype: 'int8', way: 'together', kinds: ['corpus'], texts: 16 },
];

const files = { fp32: 'model.onnx', int8: 'model_quantized.onnx' };

/** @type {import('./driver.mjs').Driver['load']} */
export async function load(modelDirectory, variant, { threads }) {
  const { env, InferenceSession, Tensor } = await import('onnxruntime-web');
  const { paddedBatches } = await import('./padded.mjs');
  env.wasm.numThreads = threads;
  const file = files[/** @type {'fp32' | 'int8'} */ (variant.dtype)];
  const session = await InferenceSession.create(readFileSync(join(modelDirectory, 'onnx', file)), {
    executionProviders: ['wasm'],
  });
  const { embed } = paddedBatches(modelDirectory, Tensor, (feeds) => session.run(feeds));
  return {
    // At the batch size of 512 tokens: a trial of others takes longer here than all other measurements of it.
    embed,
    close: () => session.release(),
    info: { version: packageVersion('onnxruntime-web'), threads: env.wasm.numThreads },
  };
}

/** @param {string} name of a package that does not export its package.json */
function packageVersion(name) {
  const main = createRequire(import.meta.url).resolve(name);
  return JSON.parse(readFileSync(join(dirname(main), '..', 'package.json'), 'utf8')).version;
}
