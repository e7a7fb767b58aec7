/**
 * fastembed, with its way to load a directory of one's own. It pools by the first token only, pads every text to the
 * model's longest, and has no setting for threads: ONNX Runtime takes as many as there are cores.
 */
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';

/** @type {import('./driver.mjs').Variant[]} */
export const variants = [
  { name: 'fastembed fp32', dtype: 'fp32', way: 'batches', pooling: 'cls', kinds: ['corpus'], texts: 16 },
];

/** @type {import('./driver.mjs').Driver['load']} */
export async function load(modelDirectory, variant, { threads }) {
  if (threads !== availableParallelism()) throw new Error(`fastembed cannot be told to use ${threads} threads`);
  const { EmbeddingModel, FlagEmbedding } = await import('fastembed');
  const model = await FlagEmbedding.init({
    model: EmbeddingModel.CUSTOM,
    modelAbsoluteDirPath: modelDirectory,
    modelName: 'onnx/model.onnx',
    showDownloadProgress: false,
  });
  return {
    async embed(texts) {
      const rows = [];
      // Batches of 32: its default of 256 texts, all padded, takes gigabytes and is no faster.
      for await (const batch of model.embed(texts, 32)) rows.push(...batch);
      const dimensions = rows[0]?.length ?? 0;
      const data = new Float32Array(rows.length * dimensions);
      rows.forEach((row, index) => data.set(row, index * dimensions));
      return { data, dimensions };
    },
    close: () => Promise.resolve(),
    info: { version: packageVersion() },
  };
}

function packageVersion() {
  const main = createRequire(import.meta.url).resolve('fastembed');
  return JSON.parse(readFileSync(join(dirname(main), '..', '..', 'package.json'), 'utf8')).version;
}
