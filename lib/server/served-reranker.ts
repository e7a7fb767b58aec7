/** A reranker as the server has it. */
import type { EmbeddingSessionOptions } from '../engines/session-options.js';
import type { RerankerInfo } from '../engines/session-info.js';
import { GtewayError } from '../errors.js';
import type { ResolvedTokenizer } from '../models/resolve.js';
import { Reranker } from '../reranker.js';
import type { RerankOptions } from '../reranking/rerank-options.js';
import type { Scores } from '../reranking/pairs.js';
import { HostedModel, type ModelFiles, readModelFiles } from './hosted-model.js';

export class ServedReranker extends HostedModel {
  readonly kind = 'reranking';
  readonly info: RerankerInfo;
  readonly #reranker: Reranker;

  private constructor(name: string, reranker: Reranker, maxQueue: number, parts: ModelFiles) {
    super(name, reranker, maxQueue, parts);
    this.#reranker = reranker;
    this.info = reranker.info;
  }

  /** Loads it and makes scores. Rejects with why that cannot be. */
  static async load(
    name: string,
    files: ResolvedTokenizer,
    options: EmbeddingSessionOptions,
    signal: AbortSignal,
  ): Promise<ServedReranker> {
    const reranker = new Reranker(files.name, options);
    const stop = (): void => void reranker.close();
    signal.addEventListener('abort', stop, { once: true });
    try {
      await reranker.ready();
      const parts = await readModelFiles(files, reranker.info.modelFile);
      const served = new ServedReranker(name, reranker, options.maxQueue ?? Infinity, parts);
      await served.#test();
      return served;
    } catch (error) {
      await reranker.close();
      throw error;
    } finally {
      signal.removeEventListener('abort', stop);
    }
  }

  /** The scores in the texts' order, counted as `ServedModel.embed` counts. */
  async rerank(query: string, texts: readonly string[], options: RerankOptions): Promise<Scores> {
    return this.counted(texts.length, () => this.#reranker.rerankScores(query, texts, options));
  }

  async #test(): Promise<void> {
    const texts = ['self-test', 'of a server that starts'];
    const { scores } = await this.#reranker.rerankScores('self-test', texts, { activation: 'none' });
    if (scores.length === 2 && scores[0] !== scores[1]) return;
    throw new GtewayError(
      'ERR_INFERENCE_FAILED',
      `${this.name}: the self-test failed: two different texts have the same score`,
    );
  }
}
