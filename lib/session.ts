/** The public Session: what Supabase.ai.Session does, and more. */
import { type DeadlineOptions } from './deadline.js';
import { type Embeddings } from './embeddings.js';
import { checkTexts, EmbeddingSession, type EmbedOptions, type SessionInfo } from './embedding-session.js';
import { rejectUnknownKeys } from './options.js';
import { type EmbeddingSessionOptions, show } from './session-options.js';

/** Options of `session.run` with an embedding model: the Edge runtime's, and cancellation. */
export interface RunOptions extends DeadlineOptions {
  /**
   * `true`: one vector per text, the mean of its tokens' vectors. `false`: one vector per token.
   * @default one vector per text, pooled the way the model was trained: by mean for gte-small
   */
  mean_pool?: boolean;
  /** Scale each vector to length 1. @default true */
  normalize?: boolean;
}

const runOptionNames = ['mean_pool', 'normalize', 'signal', 'timeout'] as const satisfies readonly (keyof RunOptions)[];

type PerText = RunOptions & { mean_pool?: true };
type PerToken = RunOptions & { mean_pool: false };

export class Session implements AsyncDisposable {
  readonly #embedding: EmbeddingSession;

  constructor(model: string, options: EmbeddingSessionOptions = {}) {
    this.#embedding = new EmbeddingSession(model, options);
  }

  static async load(model: string, options: EmbeddingSessionOptions = {}): Promise<Session> {
    const session = new Session(model, options);
    await session.ready();
    return session;
  }

  async run(text: string, options?: PerText): Promise<number[]>;
  async run(texts: readonly string[], options?: PerText): Promise<number[][]>;
  async run(text: string, options: PerToken): Promise<number[][]>;
  async run(texts: readonly string[], options: PerToken): Promise<number[][][]>;
  async run(
    input: string | readonly string[],
    options: RunOptions = {},
  ): Promise<number[] | number[][] | number[][][]> {
    const where = 'session.run()';
    rejectUnknownKeys(options, runOptionNames, where);
    const { mean_pool, ...rest } = options;
    if (mean_pool !== undefined && typeof mean_pool !== 'boolean') {
      throw new TypeError(`${where}: mean_pool must be true or false, not ${show(mean_pool)}`);
    }
    const texts = checkTexts(where, input);
    const pooling = mean_pool === undefined ? {} : ({ pooling: mean_pool ? 'mean' : 'none' } as const);
    const embeddings = await this.#embedding.embed(texts, { ...rest, ...pooling });
    const rows = Array.from(embeddings, (row) => Array.from(row));
    if (mean_pool !== false) return typeof input === 'string' ? (rows[0] ?? []) : rows;
    return typeof input === 'string' ? rows : splitByText(rows, embeddings.tokens);
  }

  embed(texts: string | readonly string[], options: EmbedOptions = {}): Promise<Embeddings> {
    return this.#embedding.embed(texts, options);
  }

  async ready(): Promise<void> {
    await this.#embedding.ready();
  }

  get info(): SessionInfo {
    return this.#embedding.info;
  }

  async close(): Promise<void> {
    await this.#embedding.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

function splitByText(rows: number[][], tokens: Uint32Array): number[][][] {
  let next = 0;
  return Array.from(tokens, (count) => rows.slice(next, (next += count)));
}
