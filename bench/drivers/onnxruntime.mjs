/** onnxruntime-node by hand, at its best batch size for the texts. */
import { createRequire } from 'node:module';
import { join } from 'node:path';

/** @type {import('./driver.mjs').Variant[]} */
export const variants = [
  { name: 'onnxruntime-node fp32, sorted', dtype: 'fp32', way: 'together', quick: true },
  { name: 'onnxruntime-node int8, sorted', dtype: 'int8', way: 'together', quick: true },
];

const files = { fp32: 'model.onnx', int8: 'model_quantized.onnx' };

/** @type {import('./driver.mjs').Driver['load']} */
export async function load(modelDirectory, variant, { threads }) {
  const { InferenceSession, Tensor } = await import('onnxruntime-node');
  const { paddedBatches } = await import('./padded.mjs');
  const file = files[/** @type {'fp32' | 'int8'} */ (variant.dtype)];
  const session = await InferenceSession.create(join(modelDirectory, 'onnx', file), { intraOpNumThreads: threads });
  return {
    ...paddedBatches(modelDirectory, Tensor, (feeds) => session.run(feeds)),
    close: () => session.release(),
    info: { version: createRequire(import.meta.url)('onnxruntime-node/package.json').version },
  };
}
