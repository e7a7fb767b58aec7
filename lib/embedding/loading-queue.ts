/**
 * Calls that wait for the model to be loaded. They never reached the native queue, whose bounds hold for them too: a
 * server that is already asked while its model is being fetched must not collect texts without end.
 */
import { GtewayError } from '../errors.js';
import type { CallsBeforeLoading } from './session-stats.js';

interface Waiting {
  readonly texts: number;
  readonly bytes: number;
  readonly since: number;
}

/** Ends the waiting of one call; an outcome says that the call itself ends. Does nothing the second time. */
export type StopWaiting = (outcome?: 'cancelled' | 'failed') => void;

export class LoadingQueue {
  readonly #maxTexts: number;
  readonly #maxBytes: number;
  /** In the order of their coming. */
  readonly #waiting = new Set<Waiting>();
  #texts = 0;
  #bytes = 0;
  #rejected = 0;
  readonly #left = { cancelled: 0, failed: 0 };

  constructor(maxTexts: number, maxBytes: number) {
    this.#maxTexts = maxTexts;
    this.#maxBytes = maxBytes;
  }

  /**
   * Lets a call wait, that holds `moreBytes` beside its texts. Throws ERR_OVERLOADED where it would pass a bound, unless nothing waits or `anyway`.
   */
  enter(list: readonly string[], anyway: boolean, moreBytes = 0): StopWaiting {
    const bytes = list.reduce((sum, text) => sum + Buffer.byteLength(text), moreBytes);
    const isOver = this.#texts + list.length > this.#maxTexts || this.#bytes + bytes > this.#maxBytes;
    if (isOver && this.#waiting.size > 0 && !anyway) {
      this.#rejected++;
      throw new GtewayError(
        'ERR_OVERLOADED',
        `the queue is full: ${this.#texts} texts (${this.#bytes} bytes) wait for the model to be loaded, and ` +
          `${list.length} more (${bytes} bytes) would pass maxQueue (${this.#maxTexts}) or maxQueueBytes ` +
          `(${this.#maxBytes}). Send fewer at once, or raise it`,
      );
    }
    const waiting = { texts: list.length, bytes, since: performance.now() };
    this.#waiting.add(waiting);
    this.#texts += waiting.texts;
    this.#bytes += waiting.bytes;
    return (outcome) => {
      if (!this.#waiting.delete(waiting)) return;
      this.#texts -= waiting.texts;
      this.#bytes -= waiting.bytes;
      if (outcome !== undefined) this.#left[outcome]++;
    };
  }

  counts(): CallsBeforeLoading {
    const [oldest] = this.#waiting;
    return {
      calls: this.#waiting.size,
      texts: this.#texts,
      bytes: this.#bytes,
      oldest: oldest === undefined ? 0 : performance.now() - oldest.since,
      rejected: this.#rejected,
      ...this.#left,
    };
  }
}
