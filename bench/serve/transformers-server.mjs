/** What people write first: fastify, and a transformers.js pipeline in its handler. Sends its address to its parent. */
import { basename, dirname } from 'node:path';
import { env, pipeline } from '@huggingface/transformers';
import fastify from 'fastify';

const [, , model = '', threads = '1'] = process.argv;
env.allowRemoteModels = false;
env.localModelPath = dirname(model);
const extract = await pipeline('feature-extraction', basename(model), {
  dtype: 'fp32',
  session_options: { intraOpNumThreads: Number(threads) },
});

const app = fastify({ bodyLimit: 8 * 2 ** 20 });
app.post('/v1/embeddings', async (request) => {
  const { input } = /** @type {{ input: string[] }} */ (request.body);
  const { data, dims } = await extract(input, { pooling: 'mean', normalize: true });
  const values = /** @type {Float32Array} */ (data);
  const rows = Array.from({ length: dims[0] }, (_, row) => values.subarray(row * dims[1], (row + 1) * dims[1]));
  return {
    object: 'list',
    data: rows.map((row, index) => ({
      object: 'embedding',
      index,
      embedding: Buffer.from(row.buffer, row.byteOffset, row.byteLength).toString('base64'),
    })),
  };
});
process.send?.(await app.listen({ port: 0 }));
