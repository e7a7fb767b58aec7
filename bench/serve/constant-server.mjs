/** What HTTP costs by itself: fastify, and a route that answers with the same vector whatever it is asked. */
import fastify from 'fastify';

process.once('message', async (/** @type {{ dimensions: number }} */ { dimensions }) => {
  const vector = Float32Array.from({ length: dimensions }, (_, i) => Math.sin(i) / 16);
  const app = fastify();
  app.post('/v1/embeddings', (request, reply) => {
    const { encoding_format: format } = /** @type {{ encoding_format: string }} */ (request.body);
    const embedding = format === 'base64' ? Buffer.from(vector.buffer).toString('base64') : Array.from(vector);
    const usage = { prompt_tokens: 9, total_tokens: 9 };
    reply.send({ object: 'list', data: [{ object: 'embedding', index: 0, embedding }], model: 'bench', usage });
  });
  process.send?.(await app.listen({ port: 0, host: '127.0.0.1' }));
});
