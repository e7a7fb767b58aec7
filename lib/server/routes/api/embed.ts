/** POST /api/embed: Ollama's. https://github.com/ollama/ollama/blob/main/docs/api.md */
import { embedFor, sendJson, writeRows, writerFor } from '../../embedding.js';
import { plainTextsOf } from '../../inputs.js';
import type { Route } from '../../server-context.js';
import { objectSchema } from '../../validation.js';
import { runnerFields } from './runner-fields.js';

interface EmbedBody {
  readonly model: string;
  readonly input: unknown;
  readonly truncate?: boolean;
  readonly dimensions?: number;
}

const embedBody = objectSchema(
  {
    model: { type: 'string' },
    input: {},
    truncate: { type: 'boolean' },
    dimensions: { type: 'integer', minimum: 1 },
    ...runnerFields,
  },
  ['model', 'input'],
);

export const ollamaEmbedRoute: Route = (app, context) => {
  const { models, options } = context;
  app.post<{ Body: EmbedBody }>(
    '/api/embed',
    { schema: { body: embedBody }, config: { embeds: true } },
    async (request, reply) => {
      const { model: name, input, truncate, dimensions } = request.body;
      const model = models.find(name);
      // Ollama's way to load a model without embedding anything.
      const texts = input === '' ? [] : plainTextsOf('input', input, options.maxBatch);
      const { embeddings, tokens } = await embedFor(request, context, model, texts, {
        ...(truncate === undefined ? {} : { truncate }),
        ...(dimensions === undefined ? {} : { dimensions }),
      });
      const writer = writerFor(embeddings, 256);
      writer.text(`{"model":${JSON.stringify(name)},"embeddings":`);
      await writeRows(writer, embeddings);
      const nanoseconds = Math.round((performance.now() - request.beganAt) * 1e6);
      writer.ascii(`,"total_duration":${nanoseconds},"load_duration":0,"prompt_eval_count":${tokens}}`);
      return sendJson(reply, writer);
    },
  );
};
