/**
 * POST /v1/rerank and /v2/rerank: Cohere's, which Jina and others have taken over. https://docs.cohere.com/reference/rerank
 * https://jina.ai/reranker
 */
import { ranked } from '../../../reranking/ranking.js';
import { computeFor } from '../../embedding.js';
import { RequestFailure } from '../../failures.js';
import { plainTextsOf } from '../../inputs.js';
import type { Route } from '../../server-context.js';
import { objectSchema } from '../../validation.js';

interface Body {
  readonly model: string;
  readonly query: string;
  readonly documents: readonly unknown[];
  readonly top_n?: number | null;
  readonly return_documents?: boolean | null;
}

const body = objectSchema(
  {
    model: { type: 'string' },
    query: { type: 'string' },
    documents: { type: 'array', minItems: 1 },
    top_n: { type: ['integer', 'null'], minimum: 1 },
    return_documents: { type: ['boolean', 'null'] },
  },
  ['model', 'query', 'documents'],
);

/** Texts, or objects whose `text` is the document. */
function textOf(document: unknown, i: number): unknown {
  if (typeof document !== 'object' || document === null) return document;
  const { text } = document as { text?: unknown };
  if (typeof text === 'string') return text;
  throw new RequestFailure('invalid', `documents[${i}] must be a string, or an object with a string as its text`, {
    field: 'documents',
  });
}

export const documentRerankRoute: Route = (app, context) => {
  for (const version of ['1', '2']) {
    const config = { reranks: true };
    app.post<{ Body: Body }>(`/v${version}/rerank`, { schema: { body }, config }, async (request) => {
      const { model, query, documents, top_n: topN, return_documents: withDocuments } = request.body;
      const reranker = context.models.findReranker(model);
      const texts = plainTextsOf('documents', documents.map(textOf), context.options.maxBatch);
      const { result, tokens } = await computeFor(request, context, reranker, (deadline) =>
        reranker.rerank(query, texts, { activation: 'sigmoid', ...deadline }),
      );
      const results = ranked(result.scores, { topK: topN ?? undefined, texts });
      return {
        id: request.id,
        model: reranker.name,
        results: results.map(({ index, score, text }) => ({
          index,
          relevance_score: score,
          ...(withDocuments === true ? { document: { text } } : {}),
        })),
        meta: { api_version: { version }, tokens: { input_tokens: tokens } },
        usage: { total_tokens: tokens },
      };
    });
  }
};
