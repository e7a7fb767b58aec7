/** `session.run` of an embedding model: the Edge runtime's call, whose vectors are plain arrays. */
import { rejectUnknownKeys } from '../arguments/known-names.js';
import { show } from '../arguments/show.js';
import type { DeadlineOptions } from '../cancellation/deadline.js';
import { checkTexts } from './embed-options.js';
import type { Prompt } from './prompt.js';
import type { EmbeddingSession } from './embedding-session.js';

/** Options of `session.run` with an embedding model: the Edge runtime's, and cancellation. */
export interface RunOptions extends DeadlineOptions {
  /**
   * `true`: one vector per text, the mean of its tokens' vectors. `false`: one vector per token.
   * @default one vector per text, pooled the way the model was trained: by mean for gte-small
   */
  mean_pool?: boolean;
  /** Scale each vector to length 1. @default true */
  normalize?: boolean;
  /** What comes before each text: as in `session.embed`. @default nothing */
  prompt?: Prompt;
}

const runOptionNames = [
  'mean_pool',
  'normalize',
  'prompt',
  'signal',
  'timeout',
] as const satisfies readonly (keyof RunOptions)[];

type PerText = RunOptions & { mean_pool?: true };
type PerToken = RunOptions & { mean_pool: false };

/** `session.run` of an embedding model. Vectors are plain arrays; `session.embed` gives them without that copy. */
export interface RunEmbedding {
  /** One text: its vector. */
  (text: string, options?: PerText): Promise<number[]>;
  /** Several texts: a vector for each, in their order. */
  (texts: readonly string[], options?: PerText): Promise<number[][]>;
  /** One text: a vector for each of its tokens. */
  (text: string, options: PerToken): Promise<number[][]>;
  /** Several texts: for each of them, a vector for each of its tokens. */
  (texts: readonly string[], options: PerToken): Promise<number[][][]>;
}

/** Rejects as `session.embed` does, and with TypeError or RangeError for options that `run` does not have. */
export async function runEmbedding(
  session: EmbeddingSession,
  input: unknown,
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
  const embeddings = await session.embed(texts, { ...rest, ...pooling }, 'run');
  const rows = Array.from(embeddings, (row) => Array.from(row));
  if (mean_pool !== false) return typeof input === 'string' ? (rows[0] ?? []) : rows;
  return typeof input === 'string' ? rows : splitByText(rows, embeddings.tokens);
}

function splitByText(rows: number[][], tokens: Uint32Array): number[][][] {
  let next = 0;
  return Array.from(tokens, (count) => rows.slice(next, (next += count)));
}
