/** POST /api/embeddings: Ollama's older way, one text at a time. https://github.com/ollama/ollama/blob/main/docs/api.md */
import { embedFor, sendJson, writerFor } from '../../embedding.js';
import type { Route } from '../../server-context.js';
import { objectSchema } from '../../validation.js';
import { runnerFields } from './runner-fields.js';

interface Body {
  readonly model: string;
  readonly prompt: string;
}

const body = objectSchema({ model: { type: 'string' }, prompt: { type: 'string' }, ...runnerFields }, [
  'model',
  'prompt',
]);

export const ollamaEmbeddingsRoute: Route = (app, context) => {
  app.post<{ Body: Body }>(
    '/api/embeddings',
    { schema: { body }, config: { embeds: true } },
    async (request, reply) => {
      const { model: name, prompt } = request.body;
      const model = context.models.find(name);
      // Ollama's way to load a model without embedding anything.
      if (prompt === '') return { embedding: [] };
      const { embeddings } = await embedFor(request, context, model, [prompt]);
      const writer = writerFor(embeddings);
      writer.ascii('{"embedding":');
      writer.vector(embeddings.at(0));
      writer.ascii('}');
      return sendJson(reply, writer);
    },
  );
};
