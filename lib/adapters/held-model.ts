/** The model behind an adapter: opened by its name and closed with the adapter, or lent by whoever opened and closes it. */
import { rejectUnknownKeys } from '../arguments/known-names.js';
import { show } from '../arguments/show.js';
import { checkEmbedOptions, type EmbedOptions } from '../embedding/embed-options.js';
import type { EmbeddingSessionOptions } from '../engines/session-options.js';
import { Reranker } from '../reranker.js';
import { checkScoreOptions, type ScoreOptions } from '../reranking/rerank-options.js';
import { Session } from '../session.js';

/** What an adapter that embeds may be told about each of its calls: whatever leaves one vector for each text. */
export type AdapterEmbedOptions = Pick<EmbedOptions, 'normalize' | 'truncate' | 'dimensions' | 'timeout'> & {
  /** As in `session.embed`; `'none'`, which gives no vector per text, is refused. */
  pooling?: 'mean' | 'cls';
};

/** What an adapter that ranks may be told about each of its calls. */
export type AdapterScoreOptions = Pick<ScoreOptions, 'activation' | 'truncate' | 'timeout'>;

/** Of every adapter. */
export interface OpeningOptions {
  /** Options of `new Session` or `new Reranker`, where the adapter opens the model by its name. */
  open?: EmbeddingSessionOptions;
}

/** A session with any embedding model, whatever is known of its name. */
export type EmbeddingSource = Omit<Session, 'run'>;

export interface Held<Model> {
  readonly model: Model;
  /** Closes the model if it was opened here. */
  close(): Promise<void>;
}

export interface HeldSession extends Held<EmbeddingSource> {
  /** The model as it was asked for. */
  readonly name: string;
}

/** Throws TypeError or RangeError, also for a language model. */
export function holdSession(
  where: string,
  model: string | EmbeddingSource,
  open?: EmbeddingSessionOptions,
): HeldSession {
  const isSession = (given: unknown): boolean => given instanceof Session;
  const held = hold<EmbeddingSource>(
    where,
    model,
    'Session',
    isSession,
    open,
    (name) => new Session<string>(name, open),
  );
  try {
    return { ...held, name: Session.embeddingModelOf(held.model as Session) };
  } catch (cause) {
    throw new TypeError(`${where}: ${(cause as Error).message}`, { cause });
  }
}

/** Throws TypeError or RangeError. */
export function holdReranker(where: string, model: string | Reranker, open?: EmbeddingSessionOptions): Held<Reranker> {
  const isReranker = (given: unknown): boolean => given instanceof Reranker;
  return hold<Reranker>(where, model, 'Reranker', isReranker, open, (name) => new Reranker(name, open));
}

/** Throws TypeError or RangeError for options that `session.embed` refuses, or that give no vector per text. */
export function checkAdapterEmbedOptions(where: string, options: EmbedOptions, others: readonly string[] = []): void {
  rejectUnknownKeys(options, ['pooling', 'normalize', 'truncate', 'dimensions', 'timeout', ...others], where);
  if ((options.pooling as unknown) === 'none') {
    throw new RangeError(`${where}: pooling 'none' gives a vector per token; an adapter needs one per text`);
  }
  checkEmbedOptions(where, options);
}

/** Throws TypeError or RangeError. */
export function checkAdapterScoreOptions(where: string, options: ScoreOptions): void {
  rejectUnknownKeys(options, ['activation', 'truncate', 'timeout'], where);
  checkScoreOptions(where, options);
}

function hold<Model extends { close(): Promise<void> }>(
  where: string,
  model: string | Model,
  kind: string,
  isOne: (given: unknown) => boolean,
  open: EmbeddingSessionOptions | undefined,
  opened: (name: string) => Model,
): Held<Model> {
  if (typeof model === 'string') {
    const own = opened(model);
    return { model: own, close: () => own.close() };
  }
  if (!isOne(model)) {
    throw new TypeError(`${where}: model must be a name or a ${kind} of this package, not ${show(model)}`);
  }
  if (open !== undefined) {
    throw new TypeError(`${where}: open is for a model given by its name; this ${kind} is open already`);
  }
  return { model, close: () => Promise.resolve() };
}
