/** An embedding model as the server has it. */
import type { EmbedOptions } from '../embedding/embed-options.js';
import type { Embeddings } from '../vectors/embeddings.js';
import type { SessionInfo } from '../engines/session-info.js';
import { GtewayError } from '../errors.js';
import type { ResolvedTokenizer } from '../models/resolve.js';
import { Session } from '../session.js';
import type { EmbeddingSessionOptions } from '../engines/session-options.js';
import { HostedModel, type ModelFiles, readModelFiles } from './hosted-model.js';

export class ServedModel extends HostedModel {
  readonly kind = 'embedding';
  readonly info: SessionInfo;
  readonly #session: Session;

  private constructor(name: string, session: Session, maxQueue: number, parts: ModelFiles) {
    super(name, session, maxQueue, parts);
    this.#session = session;
    this.info = session.info;
  }

  /** Loads it and makes an embedding. Rejects with why that cannot be. */
  static async load(
    name: string,
    files: ResolvedTokenizer,
    options: EmbeddingSessionOptions,
    signal: AbortSignal,
  ): Promise<ServedModel> {
    const session: Session = new Session(files.name, options);
    const stop = (): void => void session.close();
    signal.addEventListener('abort', stop, { once: true });
    try {
      await session.ready();
      const parts = await readModelFiles(files, session.info.modelFile);
      const served = new ServedModel(name, session, options.maxQueue ?? Infinity, parts);
      await served.#test();
      return served;
    } catch (error) {
      await session.close();
      throw error;
    } finally {
      signal.removeEventListener('abort', stop);
    }
  }

  /** As `session.embed`, and counted. Throws RequestFailure 'overloaded' at once where it would pass the queue's bound. */
  async embed(texts: readonly string[], options: EmbedOptions): Promise<Embeddings> {
    return this.counted(texts.length, () => this.#session.embed(texts, options));
  }

  async #test(): Promise<void> {
    const { data, rows, dimensions } = await this.#session.embed(['self-test', 'of a server that starts']);
    const first = data.subarray(0, dimensions);
    const second = data.subarray(dimensions);
    const isUnit = (row: Float32Array): boolean => Math.abs(Math.hypot(...row) - 1) < 1e-3;
    if (rows === 2 && isUnit(first) && isUnit(second) && first.some((value, i) => value !== second[i])) return;
    throw new GtewayError(
      'ERR_INFERENCE_FAILED',
      `${this.name}: the self-test failed: its vectors of two different texts are not two different vectors of length 1`,
    );
  }
}
