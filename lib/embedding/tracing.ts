/**
 * What tracing tools can listen to: two `TracingChannel`s of node:diagnostics_channel, with the events `start`, `end`,
 * `asyncStart`, `asyncEnd` and `error`. Where nobody listens, a call pays for asking that.
 *
 * @example
 * import { tracingChannel } from 'node:diagnostics_channel';
 * tracingChannel('gteway:embed').subscribe({ asyncEnd: ({ texts, result }) => count(texts, result?.tokens) });
 */
import { tracingChannel, type TracingChannel } from 'node:diagnostics_channel';
import type { EmbedOptions } from './embed-options.js';
import type { Embeddings } from '../vectors/embeddings.js';
import type { RerankerInfo, SessionInfo } from '../engines/session-info.js';

/** The message of the channel `gteway:embed`: one object per call, the same in each of its events. */
export interface EmbedTrace {
  /** The method that was called. A stream makes a call for each slice of about 1,000 texts. */
  readonly operation: 'run' | 'embed' | 'embedStream';
  /** The model as it was asked for. */
  readonly model: string;
  /** What runs; undefined where the call was made before the model was loaded. */
  readonly info: SessionInfo | undefined;
  readonly texts: number;
  /** All texts together, in UTF-16 code units. */
  readonly characters: number;
  /** What the caller asked for. */
  readonly options: Pick<
    EmbedOptions,
    'pooling' | 'prompt' | 'normalize' | 'truncate' | 'dimensions' | 'timeout' | 'onError'
  >;
  /** From `asyncStart` on, unless the call failed. */
  readonly result?: Embeddings;
  /** From `error` on. */
  readonly error?: unknown;
}

/** The message of the channel `gteway:load`: one object per session. */
export interface LoadTrace {
  /** The model as it was asked for. */
  readonly model: string;
  /** From `asyncStart` on, unless loading failed. */
  readonly result?: SessionInfo | RerankerInfo;
  /** From `error` on. */
  readonly error?: unknown;
}

const embedChannel = tracingChannel<unknown, EmbedTrace>('gteway:embed');
const loadChannel = tracingChannel<unknown, LoadTrace>('gteway:load');

/** What is told about a call that begins. */
export function describeEmbed(
  operation: EmbedTrace['operation'],
  model: string,
  info: SessionInfo | undefined,
  list: readonly string[],
  { pooling, prompt, normalize, truncate, dimensions, timeout, onError }: EmbedOptions,
): EmbedTrace {
  return {
    operation,
    model,
    info,
    texts: list.length,
    characters: list.reduce((sum, text) => sum + text.length, 0),
    options: {
      ...(pooling === undefined ? {} : { pooling }),
      ...(prompt === undefined ? {} : { prompt }),
      ...(normalize === undefined ? {} : { normalize }),
      ...(truncate === undefined ? {} : { truncate }),
      ...(dimensions === undefined ? {} : { dimensions }),
      ...(timeout === undefined ? {} : { timeout }),
      ...(onError === undefined ? {} : { onError }),
    },
  };
}

export function traceEmbed(trace: () => EmbedTrace, work: () => Promise<Embeddings>): Promise<Embeddings> {
  return hasSubscribers(embedChannel) ? embedChannel.tracePromise(work, trace()) : work();
}

type LoadResult = NonNullable<LoadTrace['result']>;

export function traceLoad(trace: () => LoadTrace, work: () => Promise<LoadResult>): Promise<LoadResult> {
  return hasSubscribers(loadChannel) ? loadChannel.tracePromise(work, trace()) : work();
}

/** `hasSubscribers` of the TracingChannel itself is younger than the class, and not everywhere. */
export function hasSubscribers<Message extends object>(channel: TracingChannel<unknown, Message>): boolean {
  const { start, end, asyncStart, asyncEnd, error } = channel;
  return (
    start.hasSubscribers ||
    asyncEnd.hasSubscribers ||
    error.hasSubscribers ||
    end.hasSubscribers ||
    asyncStart.hasSubscribers
  );
}
