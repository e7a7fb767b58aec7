/** POST /similarity: text-embeddings-inference's. The cosine of one sentence with each of others. */
import { cosineSimilarity } from '../../vectors/similarity.js';
import { embedFor } from '../embedding.js';
import { plainTextsOf } from '../inputs.js';
import type { Route } from '../server-context.js';
import { objectSchema } from '../validation.js';
import { embedOptionsOf, teiFields, type TeiOptions } from './tei-fields.js';

interface Body {
  readonly inputs: { readonly source_sentence: string; readonly sentences: unknown };
  readonly parameters?: TeiOptions | null;
  readonly model?: string | null;
}

const { model, ...parameterFields } = teiFields;
const body = objectSchema(
  {
    inputs: objectSchema({ source_sentence: { type: 'string' }, sentences: { type: 'array', minItems: 1 } }, [
      'source_sentence',
      'sentences',
    ]),
    parameters: { ...objectSchema(parameterFields, []), type: ['object', 'null'] },
    model,
  },
  ['inputs'],
);

export const similarityRoute: Route = (app, context) => {
  app.post<{ Body: Body }>('/similarity', { schema: { body }, config: { embeds: true } }, async (request) => {
    const { inputs, parameters, model: name } = request.body;
    const sentences = plainTextsOf('inputs.sentences', inputs.sentences, context.options.maxBatch - 1);
    const { embeddings } = await embedFor(
      request,
      context,
      context.models.find(name),
      [inputs.source_sentence, ...sentences],
      embedOptionsOf(parameters ?? {}),
    );
    const source = embeddings.at(0);
    return sentences.map((_, i) => cosineSimilarity(source, embeddings.at(i + 1)));
  });
};
