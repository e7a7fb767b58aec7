/**
 * `gteway/ai`: models of the Vercel AI SDK 7, for its `embed`, `embedMany` and `rerank`.
 *
 * Of the SDK only types are named here, so nothing of it is loaded.
 */
import type { EmbeddingModelV4, RerankingModelV4, SharedV4Warning } from '@ai-sdk/provider';
import { rejectUnknownKeys } from '../arguments/known-names.js';
import { show } from '../arguments/show.js';
import type { EmbedOptions } from '../embedding/embed-options.js';
import type { Prompt } from '../embedding/prompt.js';
import type { Reranker } from '../reranker.js';
import { ranked } from '../reranking/ranking.js';
import type { ScoreOptions } from '../reranking/rerank-options.js';
import {
  type AdapterEmbedOptions,
  type AdapterScoreOptions,
  checkAdapterEmbedOptions,
  checkAdapterScoreOptions,
  type EmbeddingSource,
  type Held,
  type HeldSession,
  holdReranker,
  holdSession,
  type OpeningOptions,
} from './held-model.js';

/** Also what `providerOptions: { gteway: … }` of a call may say. */
export type EmbeddingModelEmbedOptions = AdapterEmbedOptions & {
  /** As in `session.embed`: `'query'` for what is searched for, `'passage'` for what is searched. @default nothing */
  prompt?: Prompt;
};

export interface EmbeddingModelOptions extends OpeningOptions {
  /** Of every call. */
  embed?: EmbeddingModelEmbedOptions;
}

export interface RerankingModelOptions extends OpeningOptions {
  /** Of every call. */
  rerank?: AdapterScoreOptions;
}

type EmbedCall = Parameters<EmbeddingModelV4['doEmbed']>[0];
type EmbedResult = Awaited<ReturnType<EmbeddingModelV4['doEmbed']>>;
type RerankCall = Parameters<RerankingModelV4['doRerank']>[0];
type RerankResult = Awaited<ReturnType<RerankingModelV4['doRerank']>>;

/**
 * An embedding model for `embed` and `embedMany`.
 *
 * @example
 * await using model = new GtewayEmbeddingModel('gte-small');
 * const { embeddings, usage } = await embedMany({ model, values: texts });
 */
export class GtewayEmbeddingModel implements EmbeddingModelV4, AsyncDisposable {
  readonly specificationVersion = 'v4';
  readonly provider = 'gteway';
  /** A session cuts a list into batches itself, and does it better the more it is given. */
  readonly maxEmbeddingsPerCall = Infinity;
  readonly supportsParallelCalls = true;
  readonly #held: HeldSession;
  readonly #options: EmbedOptions;

  /**
   * A model given by its name loads in the background and is closed by `close()`; a session given stays its owner's, who
   * closes it. Throws TypeError or RangeError for what can be no embedding model, and for malformed options.
   */
  constructor(model: string | EmbeddingSource, options: EmbeddingModelOptions = {}) {
    const where = 'new GtewayEmbeddingModel()';
    rejectUnknownKeys(options, ['open', 'embed'], where);
    this.#options = options.embed ?? {};
    checkAdapterEmbedOptions(`${where}: embed`, this.#options, ['prompt']);
    this.#held = holdSession(where, model, options.open);
  }

  get modelId(): string {
    return this.#held.name;
  }

  /** Called by the SDK. Rejects as `session.embed` does. */
  async doEmbed({ values, dimensions, abortSignal, providerOptions, headers }: EmbedCall): Promise<EmbedResult> {
    const own = ownOptions(providerOptions);
    checkAdapterEmbedOptions('providerOptions.gteway', own, ['prompt']);
    const embeddings = await this.#held.model.embed(values, {
      ...this.#options,
      ...own,
      ...(dimensions === undefined ? {} : { dimensions }),
      signal: abortSignal,
    });
    return {
      embeddings: Array.from(embeddings, (row) => Array.from(row)),
      usage: { tokens: embeddings.tokens.reduce((sum, tokens) => sum + tokens, 0) },
      warnings: [...headerWarnings(headers), ...cutWarnings('value', embeddings.truncated)],
    };
  }

  /** Closes the model, if it was given by its name. */
  async close(): Promise<void> {
    await this.#held.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/**
 * A reranking model for `rerank`. Documents that are objects are compared as their JSON.
 *
 * @example
 * await using model = new GtewayRerankingModel('ms-marco-MiniLM-L6-v2');
 * const { rerankedDocuments } = await rerank({ model, query, documents, topN: 3 });
 */
export class GtewayRerankingModel implements RerankingModelV4, AsyncDisposable {
  readonly specificationVersion = 'v4';
  readonly provider = 'gteway';
  readonly #held: Held<Reranker>;
  readonly #options: ScoreOptions;

  /** A reranker given by its name is closed by `close()`, one given is not. Throws as `new Reranker()` does. */
  constructor(model: string | Reranker, options: RerankingModelOptions = {}) {
    const where = 'new GtewayRerankingModel()';
    rejectUnknownKeys(options, ['open', 'rerank'], where);
    this.#options = options.rerank ?? {};
    checkAdapterScoreOptions(`${where}: rerank`, this.#options);
    this.#held = holdReranker(where, model, options.open);
  }

  get modelId(): string {
    return this.#held.model.model;
  }

  /** Called by the SDK. Rejects as `reranker.rerank` does. */
  async doRerank({ documents, query, topN, abortSignal, providerOptions, headers }: RerankCall): Promise<RerankResult> {
    const own = ownOptions(providerOptions);
    checkAdapterScoreOptions('providerOptions.gteway', own);
    const isText = documents.type === 'text';
    const texts = isText ? documents.values : documents.values.map((value) => JSON.stringify(value));
    const { scores, truncated } = await this.#held.model.rerankScores(query, texts, {
      ...this.#options,
      ...own,
      ...(topN === undefined ? {} : { topK: topN }),
      signal: abortSignal,
    });
    const asJson: SharedV4Warning = {
      type: 'compatibility',
      feature: 'documents that are objects',
      details: 'They are compared as their JSON.',
    };
    return {
      ranking: ranked(scores, { topK: topN }).map(({ index, score }) => ({ index, relevanceScore: score })),
      warnings: [...headerWarnings(headers), ...(isText ? [] : [asJson]), ...cutWarnings('document', truncated)],
    };
  }

  /** Closes the reranker, if it was given by its name. */
  async close(): Promise<void> {
    await this.#held.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

function ownOptions(providerOptions: EmbedCall['providerOptions']): object {
  const own: unknown = providerOptions?.gteway ?? {};
  if (typeof own === 'object' && own !== null) return own;
  throw new TypeError(`providerOptions.gteway must be an object, not ${show(own)}`);
}

/** The SDK itself always says who it is; any other header was meant for a server. */
function headerWarnings(headers: EmbedCall['headers']): SharedV4Warning[] {
  const names = Object.keys(headers ?? {}).filter((name) => name.toLowerCase() !== 'user-agent');
  if (names.length === 0) return [];
  const details = `The model runs in this process; nothing is sent: ${names.join(', ')}.`;
  return [{ type: 'unsupported', feature: 'headers', details }];
}

function cutWarnings(noun: string, truncated: readonly boolean[]): SharedV4Warning[] {
  const places = truncated.flatMap((isCut, i) => (isCut ? [i] : []));
  if (places.length === 0) return [];
  const shown = places.slice(0, 10).join(', ') + (places.length > 10 ? ', …' : '');
  const message =
    `${places.length} of ${truncated.length} ${noun}s were longer than the model takes and were cut, ` +
    `by their places: ${shown}. With truncate: false they are refused.`;
  return [{ type: 'other', message }];
}
