/** POST /v1/embeddings: OpenAI's. https://platform.openai.com/docs/api-reference/embeddings */
import { embedFor, nextTurn, sendJson, writerFor } from '../../embedding.js';
import { textsOf } from '../../inputs.js';
import type { Route } from '../../server-context.js';
import { objectSchema } from '../../validation.js';

interface Body {
  readonly input: unknown;
  readonly model: string;
  readonly encoding_format?: 'float' | 'base64' | null;
  readonly dimensions?: number | null;
}

const body = objectSchema(
  {
    input: {},
    model: { type: 'string' },
    encoding_format: { enum: ['float', 'base64', null] },
    dimensions: { type: ['integer', 'null'], minimum: 1 },
    // Names the end user for OpenAI's abuse monitoring; there is none here.
    user: { type: ['string', 'null'] },
  },
  ['input', 'model'],
);

const rowsPerTurn = 256;

export const embeddingsRoute: Route = (app, context) => {
  const { models, options } = context;
  app.post<{ Body: Body }>('/v1/embeddings', { schema: { body }, config: { embeds: true } }, async (request, reply) => {
    const { input, model: name, encoding_format: format, dimensions } = request.body;
    const model = models.find(name);
    const texts = textsOf('input', input, model, options.maxBatch);
    const { embeddings, tokens } = await embedFor(
      request,
      context,
      model,
      texts,
      typeof dimensions === 'number' ? { dimensions } : {},
    );
    const writer = writerFor(embeddings, 256);
    writer.ascii('{"object":"list","data":[');
    for (let i = 0; i < embeddings.rows; i++) {
      writer.ascii(`${i === 0 ? '' : ','}{"object":"embedding","index":${i},"embedding":`);
      if (format === 'base64') writer.ascii(`"${embeddings.toBase64(i)}"`);
      else writer.vector(embeddings.at(i));
      writer.ascii('}');
      if (i % rowsPerTurn === rowsPerTurn - 1) await nextTurn();
    }
    writer.text(
      `],"model":${JSON.stringify(model.name)},"usage":{"prompt_tokens":${tokens},"total_tokens":${tokens}}}`,
    );
    return sendJson(reply, writer);
  });
};
