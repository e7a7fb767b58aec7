/** POST /embed_all: text-embeddings-inference's. A vector for each token of each text. */
import { embedFor, sendJson, writeRows, writerFor } from '../embedding.js';
import { RequestFailure } from '../failures.js';
import { textsOf } from '../inputs.js';
import type { ServedModel } from '../served-model.js';
import type { Route } from '../server-context.js';
import { objectSchema } from '../validation.js';
import { embedOptionsOf, teiFields, type TeiOptions } from './tei-fields.js';

interface Body extends TeiOptions {
  readonly inputs: unknown;
}

const body = objectSchema({ inputs: {}, ...teiFields }, ['inputs']);

/** An answer has a vector for each: so many of 384 values are some 75 MB of JSON. */
const mostTokens = 16_384;

function checkTokens(model: ServedModel, texts: readonly string[]): void {
  let tokens = 0;
  for (const text of texts) tokens += model.tokenizer.encode(text).ids.length;
  if (tokens <= mostTokens) return;
  throw new RequestFailure(
    'too-many-texts',
    `inputs have ${tokens} tokens together, more than the ${mostTokens} whose vectors fit into an answer`,
    { field: 'inputs' },
  );
}

export const embedAllRoute: Route = (app, context) => {
  app.post<{ Body: Body }>('/embed_all', { schema: { body }, config: { embeds: true } }, async (request, reply) => {
    const { inputs, ...tei } = request.body;
    const model = context.models.find(tei.model);
    const texts = textsOf('inputs', inputs, model, context.options.maxBatch);
    checkTokens(model, texts);
    const { embeddings } = await embedFor(request, context, model, texts, {
      ...embedOptionsOf(tei),
      pooling: 'none',
    });
    const writer = writerFor(embeddings);
    writer.ascii('[');
    let begin = 0;
    for (const [i, count] of embeddings.tokens.entries()) {
      if (i > 0) writer.ascii(',');
      await writeRows(writer, embeddings, begin, begin + count);
      begin += count;
    }
    writer.ascii(']');
    return sendJson(reply, writer);
  });
};
