/** POST /rerank: text-embeddings-inference's. https://huggingface.github.io/text-embeddings-inference */
import { ranked } from '../../reranking/ranking.js';
import { computeFor } from '../embedding.js';
import { plainTextsOf } from '../inputs.js';
import type { Route } from '../server-context.js';
import { objectSchema } from '../validation.js';
import { truncateOf, teiFields, type TeiOptions } from './tei-fields.js';

interface Body extends TeiOptions {
  readonly query: string;
  readonly texts: unknown;
  readonly raw_scores?: boolean | null;
  readonly return_text?: boolean | null;
}

const { truncate, truncation_direction, model } = teiFields;
const body = objectSchema(
  {
    query: { type: 'string' },
    texts: { type: 'array', minItems: 1 },
    raw_scores: { type: ['boolean', 'null'] },
    return_text: { type: ['boolean', 'null'] },
    truncate,
    truncation_direction,
    model,
  },
  ['query', 'texts'],
);

export const rerankRoute: Route = (app, context) => {
  app.post<{ Body: Body }>('/rerank', { schema: { body }, config: { reranks: true } }, async (request) => {
    const { query, texts: given, raw_scores: raw, return_text: withText, ...tei } = request.body;
    const reranker = context.models.findReranker(tei.model);
    const texts = plainTextsOf('texts', given, context.options.maxBatch);
    const { result } = await computeFor(request, context, reranker, (deadline) =>
      reranker.rerank(query, texts, {
        ...truncateOf(tei),
        activation: raw === true ? 'none' : 'sigmoid',
        ...deadline,
      }),
    );
    return ranked(result.scores, { texts: withText === true ? texts : undefined });
  });
};
