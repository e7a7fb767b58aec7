/** The adapters are what their frameworks take, and sessions of any name fit them. */
import type { EmbeddingsInterface } from '@langchain/core/embeddings';
import type { BaseDocumentCompressor } from '@langchain/core/retrievers/document_compressors';
import type { EmbeddingModel, RerankingModel } from 'ai';
import type { EmbeddingFunction, EmbeddingFunctionClass } from 'chromadb';
import { describe, expectTypeOf, test } from 'vitest';
import { GtewayEmbeddingModel, type GtewayRerankingModel } from '../../lib/adapters/ai.js';
import { GtewayEmbeddingFunction } from '../../lib/adapters/chroma.js';
import { GtewayEmbeddings, type GtewayRerank } from '../../lib/adapters/langchain.js';
import type { Session } from '../../lib/index.js';

declare const known: Session<'gte-small'>;
declare const any: Session;

describe('adapters', () => {
  test('are what their frameworks take', () => {
    expectTypeOf<GtewayEmbeddingModel>().toExtend<EmbeddingModel>();
    expectTypeOf<GtewayRerankingModel>().toExtend<RerankingModel>();
    expectTypeOf<GtewayEmbeddings>().toExtend<EmbeddingsInterface>();
    expectTypeOf<GtewayEmbeddingFunction>().toExtend<EmbeddingFunction>();
    expectTypeOf<typeof GtewayEmbeddingFunction>().toExtend<EmbeddingFunctionClass>();
    expectTypeOf<GtewayRerank>().toExtend<BaseDocumentCompressor>();
  });

  test('take sessions of any name, and no options that leave no vector per text', () => {
    expectTypeOf(new GtewayEmbeddingModel(known)).toEqualTypeOf<GtewayEmbeddingModel>();
    expectTypeOf(new GtewayEmbeddingFunction(any)).toEqualTypeOf<GtewayEmbeddingFunction>();
    expectTypeOf(new GtewayEmbeddings(any)).toEqualTypeOf<GtewayEmbeddings>();
    // @ts-expect-error a row per token is no embedding of a text
    new GtewayEmbeddingModel(known, { embed: { pooling: 'none' } });
    // @ts-expect-error the prompts of LangChain's two methods are named apart
    new GtewayEmbeddings(known, { embed: { prompt: 'query' } });
  });
});
