/**
 * `gteway/langchain`: embeddings and a document compressor for LangChain.
 *
 * Needs @langchain/core, which is the application's: where it is missing, Node's ERR_MODULE_NOT_FOUND names it.
 */
import { Document, type DocumentInterface } from '@langchain/core/documents';
import { Embeddings } from '@langchain/core/embeddings';
import { BaseDocumentCompressor } from '@langchain/core/retrievers/document_compressors';
import { rejectUnknownKeys } from '../arguments/known-names.js';
import type { Reranker } from '../reranker.js';
import { checkRerankOptions, type RerankOptions } from '../reranking/rerank-options.js';
import {
  type AdapterScoreOptions,
  checkAdapterScoreOptions,
  type EmbeddingSource,
  type Held,
  holdReranker,
  type OpeningOptions,
} from './held-model.js';
import { PromptedModel, type PromptedOptions } from './prompted.js';

export type GtewayEmbeddingsOptions = PromptedOptions;

export interface GtewayRerankOptions extends OpeningOptions {
  /** Keep only so many documents, the best ones. @default all */
  topK?: number;
  /** Of every call. */
  rerank?: AdapterScoreOptions;
}

/**
 * Embeddings for vector stores and whatever else takes LangChain's. LangChain's own retries and bound of concurrent calls
 * are not used: what fails here would fail again, and the session queues.
 *
 * @example
 * await using embeddings = new GtewayEmbeddings('gte-small');
 * const store = await MemoryVectorStore.fromDocuments(documents, embeddings);
 */
export class GtewayEmbeddings extends Embeddings implements AsyncDisposable {
  readonly #model: PromptedModel;

  /**
   * A model given by its name loads in the background and is closed by `close()`; a session given stays its owner's, who
   * closes it. Throws TypeError or RangeError for what can be no embedding model, and for malformed options.
   */
  constructor(model: string | EmbeddingSource, options: GtewayEmbeddingsOptions = {}) {
    super({});
    this.#model = new PromptedModel('new GtewayEmbeddings()', model, options);
  }

  /** With the prompt of passages. Rejects as `session.embed` does. */
  embedDocuments(documents: string[]): Promise<number[][]> {
    return this.#model.embed('passage', documents);
  }

  /** With the prompt of queries. Rejects as `session.embed` does. */
  async embedQuery(query: string): Promise<number[]> {
    const [vector = []] = await this.#model.embed('query', [query]);
    return vector;
  }

  /** Closes the model, if it was given by its name. */
  async close(): Promise<void> {
    await this.#model.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/**
 * A compressor that puts documents in the order in which they answer a query, best first, and keeps the best ones. Each
 * comes back as a copy, whose `metadata.relevanceScore` is its score.
 *
 * @example
 * await using compressor = new GtewayRerank('ms-marco-MiniLM-L6-v2', { topK: 3 });
 * const retriever = new ContextualCompressionRetriever({ baseRetriever, baseCompressor: compressor });
 */
export class GtewayRerank extends BaseDocumentCompressor implements AsyncDisposable {
  readonly #held: Held<Reranker>;
  readonly #options: RerankOptions;

  /** A reranker given by its name is closed by `close()`, one given is not. Throws as `new Reranker()` does. */
  constructor(model: string | Reranker, options: GtewayRerankOptions = {}) {
    super();
    const where = 'new GtewayRerank()';
    rejectUnknownKeys(options, ['open', 'topK', 'rerank'], where);
    const { open, topK, rerank = {} } = options;
    checkAdapterScoreOptions(`${where}: rerank`, rerank);
    this.#options = topK === undefined ? rerank : { ...rerank, topK };
    checkRerankOptions(where, this.#options);
    this.#held = holdReranker(where, model, open);
  }

  /** Rejects as `reranker.rerank` does. */
  async compressDocuments(documents: DocumentInterface[], query: string): Promise<DocumentInterface[]> {
    const texts = documents.map(({ pageContent }) => pageContent);
    const best = await this.#held.model.rerank(query, texts, this.#options);
    return best.flatMap(({ index, score }) => {
      const found = documents[index];
      if (found === undefined) return [];
      const { pageContent, metadata, id } = found;
      const scored = { pageContent, metadata: { ...metadata, relevanceScore: score } };
      return new Document(id === undefined ? scored : { ...scored, id });
    });
  }

  /** Closes the reranker, if it was given by its name. */
  async close(): Promise<void> {
    await this.#held.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
