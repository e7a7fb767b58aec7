/** The public Reranker: cross-encoders, which read a query and a text together and say how well the one answers the other. */
import { show } from './arguments/show.js';
import { checkTexts } from './embedding/embed-options.js';
import type { SessionStats } from './embedding/session-stats.js';
import type { RerankerInfo } from './engines/session-info.js';
import type { EmbeddingSessionOptions } from './engines/session-options.js';
import { classifyModel } from './models/classify.js';
import { nearestKnownReranker } from './models/rerankers.js';
import {
  checkPairs,
  checkQuery,
  checkRerankOptions,
  checkScoreOptions,
  type RerankOptions,
  type ScoreOptions,
} from './reranking/rerank-options.js';
import { type Ranked, ranked } from './reranking/ranking.js';
import type { Scores } from './reranking/pairs.js';
import { ScoringSession } from './reranking/scoring-session.js';

/**
 * A reranker, ready to be run: it puts the texts that a search has found into a better order.
 *
 * The name is a known one (`'ms-marco-MiniLM-L6-v2'`), a hub repository (`'owner/name'`) or a directory (`'./model'`).
 *
 * @example
 * await using reranker = new Reranker('ms-marco-MiniLM-L6-v2');
 * const [best] = await reranker.rerank('who wrote Faust?', found, { topK: 1 });
 */
export class Reranker implements AsyncDisposable {
  readonly #session: ScoringSession;

  /**
   * Returns at once; files are fetched and loaded in the background, and calls made meanwhile wait.
   *
   * Throws TypeError or RangeError for unknown or malformed options, and for a name that can be no reranker's. A model
   * that cannot be loaded is reported by `ready()` and every call; one that is no reranker is ERR_MODEL_UNSUPPORTED.
   */
  constructor(model: string, options: EmbeddingSessionOptions = {}) {
    if (typeof options !== 'object' || (options as unknown) === null) {
      throw new TypeError(`new Reranker(): options must be an object, not ${show(options)}`);
    }
    if (classifyModel(model).kind === 'llm') {
      const meant = nearestKnownReranker(model);
      throw new RangeError(
        `new Reranker(): ${show(model)} is no reranker gteway knows` +
          `${meant === undefined ? '' : ` (did you mean '${meant}'?)`}; give a known name, a hub repository ` +
          '(owner/name) or a directory (./path)',
      );
    }
    this.#session = new ScoringSession(model, options);
  }

  /** A reranker that is ready. Rejects with why it could not be, as `Session.load` does. */
  static async load(model: string, options: EmbeddingSessionOptions = {}): Promise<Reranker> {
    const reranker = new Reranker(model, options);
    await reranker.ready();
    return reranker;
  }

  /**
   * The texts' places and scores, best first; of equal scores the one that comes first in the list.
   *
   * Rejects as `session.embed` does: ERR_ABORTED or ERR_TIMEOUT (`signal`, `timeout` in seconds), ERR_OVERLOADED,
   * ERR_CLOSED, ERR_TEXT_TOO_LONG (where `truncate` is false, and where the query leaves a text no room),
   * ERR_INFERENCE_FAILED, or why the model could not be loaded.
   */
  async rerank(query: string, texts: readonly string[], options: RerankOptions = {}): Promise<Ranked[]> {
    const { scores } = await this.rerankScores(query, texts, options);
    return ranked(scores, { topK: options.topK, texts: options.returnTexts === true ? texts : undefined });
  }

  /**
   * A score for each pair of a query and a text, in their order. A query that comes more than once is kept once. Rejects
   * as `rerank` does.
   */
  async score(
    pairs: readonly (readonly [query: string, text: string])[],
    options: ScoreOptions = {},
  ): Promise<Float32Array<ArrayBuffer>> {
    const checked = checkPairs('reranker.score()', pairs);
    checkScoreOptions('reranker.score()', options);
    const texts = checked.map(([, text]) => text);
    const queries = checked.map(([query]) => query);
    return (await this.#session.score('score', { texts, queries }, options)).scores;
  }

  /** @internal The scores in the texts' order, and the tokens they cost: for the server. */
  async rerankScores(query: string, texts: readonly string[], options: RerankOptions = {}): Promise<Scores> {
    checkQuery('reranker.rerank()', query);
    if (!Array.isArray(texts)) {
      throw new TypeError(`reranker.rerank(): texts must be an array of strings, not ${show(texts)}`);
    }
    const list = checkTexts('reranker.rerank()', texts);
    checkRerankOptions('reranker.rerank()', options);
    return this.#session.score('rerank', { texts: list, queries: query }, options);
  }

  /** Resolves when the model is loaded; rejects with why it could not be, and with ERR_CLOSED from `close()` on. */
  async ready(): Promise<void> {
    await this.#session.ready();
  }

  /**
   * What really runs; known from the end of loading on, also after `close()`. Throws TypeError before that, and where
   * loading failed, the reason.
   */
  get info(): RerankerInfo {
    return this.#session.info;
  }

  /** @internal The model as it was asked for: for adapters. */
  get model(): string {
    return this.#session.model;
  }

  /** As `session.stats()`: what the reranker has done and has to do. A pair counts as a text. */
  stats(): SessionStats {
    return this.#session.stats();
  }

  /** Ends the reranker as `session.close()` ends a session: calls in flight reject with ERR_CLOSED. */
  async close(): Promise<void> {
    await this.#session.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
