/** What tracing tools can listen to: the `TracingChannel` `gteway:rerank`, as lib/embedding/tracing.ts has for embeddings. */
import { tracingChannel } from 'node:diagnostics_channel';
import { hasSubscribers } from '../embedding/tracing.js';
import type { RerankerInfo } from '../engines/session-info.js';
import type { RerankOptions } from './rerank-options.js';
import type { Pairs, Scores } from './pairs.js';

/** The message of the channel `gteway:rerank`: one object per call, the same in each of its events. */
export interface RerankTrace {
  /** The method that was called. */
  readonly operation: 'rerank' | 'score';
  /** The model as it was asked for. */
  readonly model: string;
  /** What runs; undefined where the call was made before the model was loaded. */
  readonly info: RerankerInfo | undefined;
  /** Texts that are scored. */
  readonly texts: number;
  /** All of them together, in UTF-16 code units; their queries are not counted. */
  readonly characters: number;
  /** What the caller asked for. */
  readonly options: Pick<RerankOptions, 'activation' | 'truncate' | 'timeout'>;
  /** From `asyncStart` on, unless the call failed. */
  readonly result?: Scores;
  /** From `error` on. */
  readonly error?: unknown;
}

const rerankChannel = tracingChannel<unknown, RerankTrace>('gteway:rerank');

/** What is told about a call that begins. */
export function describeRerank(
  operation: RerankTrace['operation'],
  model: string,
  info: RerankerInfo | undefined,
  { texts }: Pairs,
  { activation, truncate, timeout }: RerankOptions,
): RerankTrace {
  return {
    operation,
    model,
    info,
    texts: texts.length,
    characters: texts.reduce((sum, text) => sum + text.length, 0),
    options: {
      ...(activation === undefined ? {} : { activation }),
      ...(truncate === undefined ? {} : { truncate }),
      ...(timeout === undefined ? {} : { timeout }),
    },
  };
}

export function traceRerank(trace: () => RerankTrace, work: () => Promise<Scores>): Promise<Scores> {
  return hasSubscribers(rerankChannel) ? rerankChannel.tracePromise(work, trace()) : work();
}
