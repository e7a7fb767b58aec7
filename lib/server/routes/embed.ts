/**
 * POST /embed, and POST / as hosted endpoints have it: text-embeddings-inference's.
 * https://huggingface.github.io/text-embeddings-inference
 */
import type { RouteHandlerMethod } from 'fastify';
import { embedFor, sendJson, writeRows, writerFor } from '../embedding.js';
import { textsOf } from '../inputs.js';
import type { Route, ServerContext } from '../server-context.js';
import { objectSchema } from '../validation.js';
import { embedOptionsOf, teiFields, type TeiOptions } from './tei-fields.js';

interface Body extends TeiOptions {
  readonly inputs: unknown;
  readonly normalize?: boolean;
  readonly dimensions?: number | null;
}

const body = objectSchema(
  {
    inputs: {},
    normalize: { type: 'boolean' },
    dimensions: { type: ['integer', 'null'], minimum: 1 },
    ...teiFields,
  },
  ['inputs'],
);

function handler(context: ServerContext): RouteHandlerMethod {
  return async (request, reply) => {
    const { inputs, normalize, dimensions, ...tei } = request.body as Body;
    const model = context.models.find(tei.model);
    const texts = textsOf('inputs', inputs, model, context.options.maxBatch);
    const { embeddings } = await embedFor(request, context, model, texts, {
      ...embedOptionsOf(tei),
      ...(normalize === undefined ? {} : { normalize }),
      ...(typeof dimensions === 'number' ? { dimensions } : {}),
    });
    const writer = writerFor(embeddings);
    await writeRows(writer, embeddings);
    return sendJson(reply, writer);
  };
}

export const embedRoute: Route = (app, context) => {
  for (const path of ['/embed', '/']) {
    app.post(path, { schema: { body }, config: { embeds: true } }, handler(context));
  }
};
