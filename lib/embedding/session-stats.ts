/** `session.stats()`: what a session has done and has to do, in numbers. */
import type { NativeLatency, NativeStats } from '../../types/binding.js';
import { binding } from '../native/binding.js';

/** A snapshot. Counts begin with the session; times are in milliseconds. */
export interface SessionStats {
  /** What has been asked for and is not done. */
  readonly queue: {
    /** Calls in flight. A call of more than 1,024 texts is served in slices, and counts as those in flight. */
    readonly calls: number;
    /** Their texts. With `maxQueue`, the bound. */
    readonly texts: number;
    /** Bytes of their texts as UTF-8, and of their token rows with pooling 'none'. With `maxQueueBytes`, the bound. */
    readonly bytes: number;
    /** Those of the texts that are being computed now. */
    readonly running: number;
    /** Slices of `embedStream` and of large calls that wait for room in the queue. */
    readonly waiting: number;
    /** Milliseconds since the oldest call in flight was made; 0 without any. */
    readonly oldest: number;
  };
  /** What became of calls; slices of large ones are counted one by one. */
  readonly calls: {
    readonly completed: number;
    /** Refused with ERR_OVERLOADED. */
    readonly rejected: number;
    /** Ended by `signal` or `timeout`. */
    readonly cancelled: number;
    /** Rejected for another reason. */
    readonly failed: number;
  };
  readonly texts: {
    /** Of completed calls. */
    readonly completed: number;
    /** That failed by themselves: too long, no finite vector. */
    readonly failed: number;
    /** That shared the computation of an equal text in flight. */
    readonly coalesced: number;
  };
  /** Tokens computed for completed calls, special tokens counted; cached and coalesced texts have none. */
  readonly tokens: number;
  /** What the engine ran; other sessions that share it included. */
  readonly batches: {
    readonly count: number;
    /** Tokens in all of them, padding not counted. */
    readonly tokens: number;
    /** The mean; 0 before the first. */
    readonly tokensPerBatch: number;
    /** Share of what was computed that was padding, from 0 to 1; 0 for an engine that does not pad. */
    readonly paddingShare: number;
  };
  /** Zeros where the session has no cache. */
  readonly cache: {
    readonly hits: number;
    readonly misses: number;
    readonly entries: number;
    readonly bytes: number;
  };
  readonly engine: {
    /** Sessions of this process that share the model's weights and threads, this one included. */
    readonly sessions: number;
    readonly threads: number;
    /** Those that tokenize or compute now. */
    readonly busyThreads: number;
  };
  /** Of completed calls; of each slice of a large one. */
  readonly latency: {
    /** From the call to its first batch, less tokenizing. */
    readonly queue: LatencyHistogram;
    readonly tokenize: LatencyHistogram;
    /** From the first batch to the last row. */
    readonly infer: LatencyHistogram;
    readonly total: LatencyHistogram;
  };
}

/**
 * How long something took, in milliseconds: a histogram whose buckets are 3 % wide, so that percentiles are that exact.
 * `JSON.stringify` gives its summary.
 */
export class LatencyHistogram {
  /** How many were measured. */
  readonly count: number;
  /** All together. */
  readonly sum: number;
  readonly max: number;
  readonly #counts: Float64Array;

  /** @internal */
  constructor(count: number, sum: number, max: number, counts: Float64Array) {
    this.count = count;
    this.sum = sum;
    this.max = max;
    this.#counts = counts;
  }

  /** 0 where nothing was measured. */
  get mean(): number {
    return this.count === 0 ? 0 : this.sum / this.count;
  }

  get p50(): number {
    return this.percentile(50);
  }

  get p95(): number {
    return this.percentile(95);
  }

  get p99(): number {
    return this.percentile(99);
  }

  /**
   * What `percent` of them did not exceed: the upper bound of the bucket that holds it, and never more than `max`. 0 where
   * nothing was measured. Throws RangeError for a percentage that is not between 0 and 100.
   */
  percentile(percent: number): number {
    if (!(percent >= 0 && percent <= 100)) {
      throw new RangeError(`percentile(${percent}): the percentage must be from 0 to 100`);
    }
    // The nearest-rank definition: at least one, so that the 0th is the smallest.
    const rank = Math.max(1, Math.ceil((percent / 100) * this.count));
    let below = 0;
    for (const { le, count } of this.buckets()) {
      below += count;
      if (below >= rank) return Math.min(le, this.max);
    }
    return this.max;
  }

  /** The buckets that are not empty, ascending: how many were at most `le` and more than the bucket before. */
  *buckets(): IterableIterator<{ readonly le: number; readonly count: number }> {
    const bounds = bucketBounds();
    const last = this.#counts.length - 1;
    for (const [i, count] of this.#counts.entries()) {
      // The last bucket takes everything above its bound, too.
      if (count > 0) yield { le: i === last ? Infinity : (bounds[i] ?? Infinity), count };
    }
  }

  /**
   * What was measured after `earlier`, a snapshot of the same histogram: for the percentiles of the last minute. `max` is
   * then as exact as the buckets.
   */
  since(earlier: LatencyHistogram): LatencyHistogram {
    const counts = this.#counts.map((count, i) => count - (earlier.#counts[i] ?? 0));
    const filled = counts.findLastIndex((count) => count > 0);
    const max = filled === -1 ? 0 : Math.min(this.max, bucketBounds()[filled] ?? Infinity);
    return new LatencyHistogram(this.count - earlier.count, this.sum - earlier.sum, max, counts);
  }

  toJSON(): { count: number; mean: number; p50: number; p95: number; p99: number; max: number } {
    const { count, mean, p50, p95, p99, max } = this;
    return { count, mean, p50, p95, p99, max };
  }
}

let bounds: Float64Array | undefined;

function bucketBounds(): Float64Array {
  bounds ??= binding().latencyBounds();
  return bounds;
}

/** What a session knows by itself: calls that wait for the model to be loaded never reached the native side. */
export interface CallsBeforeLoading {
  readonly calls: number;
  readonly texts: number;
  readonly bytes: number;
  readonly oldest: number;
  readonly rejected: number;
  readonly cancelled: number;
  readonly failed: number;
}

/** `native`: undefined as long as there is no native session. */
export function sessionStats(native: NativeStats | undefined, before: CallsBeforeLoading): SessionStats {
  const n = native ?? nothing;
  return {
    queue: {
      calls: n.callsInFlight + before.calls,
      texts: n.textsInFlight + before.texts,
      bytes: n.bytesInFlight + before.bytes,
      running: n.textsRunning,
      waiting: n.callsWaiting,
      oldest: Math.max(n.oldest, before.oldest),
    },
    calls: {
      completed: n.calls,
      rejected: n.rejected + before.rejected,
      cancelled: n.cancelled + before.cancelled,
      failed: n.failed + before.failed,
    },
    texts: { completed: n.texts, failed: n.failedTexts, coalesced: n.coalesced },
    tokens: n.tokens,
    batches: {
      count: n.batches,
      tokens: n.batchTokens,
      tokensPerBatch: n.batches === 0 ? 0 : n.batchTokens / n.batches,
      paddingShare: n.batchTokensPadded === 0 ? 0 : 1 - n.batchTokens / n.batchTokensPadded,
    },
    cache: { hits: n.cacheHits, misses: n.cacheMisses, entries: n.cacheEntries, bytes: n.cacheBytes },
    engine: { sessions: n.sessions, threads: n.workers, busyThreads: n.workersBusy },
    latency: {
      queue: histogram(n.latency.queue),
      tokenize: histogram(n.latency.tokenize),
      infer: histogram(n.latency.infer),
      total: histogram(n.latency.total),
    },
  };
}

function histogram({ count, sum, max, counts }: NativeLatency): LatencyHistogram {
  return new LatencyHistogram(count, sum, max, counts);
}

const noLatency: NativeLatency = { count: 0, sum: 0, max: 0, counts: new Float64Array(0) };

const nothing: NativeStats = {
  callsInFlight: 0,
  textsInFlight: 0,
  textsRunning: 0,
  bytesInFlight: 0,
  callsWaiting: 0,
  oldest: 0,
  calls: 0,
  texts: 0,
  tokens: 0,
  rejected: 0,
  cancelled: 0,
  failed: 0,
  failedTexts: 0,
  coalesced: 0,
  cacheHits: 0,
  cacheMisses: 0,
  cacheEntries: 0,
  cacheBytes: 0,
  sessions: 0,
  workers: 0,
  workersBusy: 0,
  batches: 0,
  batchTokens: 0,
  batchTokensPadded: 0,
  latency: { queue: noLatency, tokenize: noLatency, infer: noLatency, total: noLatency },
};
