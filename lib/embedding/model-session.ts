/**
 * What sessions of every kind of model share: loading in the background, calls that wait for it under the queue's bounds,
 * deadlines, statistics and closing.
 */
import type { NativeSession } from '../../types/binding.js';
import { onAbort } from '../cancellation/abort-listeners.js';
import { type DeadlineOptions, withDeadline } from '../cancellation/deadline.js';
import { type LoadedFor, loadEngine, type Purpose } from '../engines/engine-loading.js';
import type { FilledSessionOptions } from '../engines/session-options.js';
import { GtewayError } from '../errors.js';
import { fromNative } from '../native/errors.js';
import type { Tokenizer } from '../tokenizer/tokenizer.js';
import { LoadingQueue, type StopWaiting } from './loading-queue.js';
import { type SliceBounds, sliceBoundsWithin } from './slice-bounds.js';
import { type SessionStats, sessionStats } from './session-stats.js';
import { traceLoad } from './tracing.js';

/** What a call has to bear in mind while it works. */
export interface CallState {
  /** Whether nobody waits for the result any more. */
  readonly ended: () => boolean;
  /** The model's. */
  readonly tokenizer: Tokenizer;
  /** Makes a native call under a number that is cancelled with the call. */
  readonly native: <Result>(begin: (session: NativeSession, number: number) => Promise<Result>) => Promise<Result>;
}

/** A call's texts, and what else counts for the queue. */
export interface Load {
  readonly texts: readonly string[];
  /** Beside the texts. */
  readonly moreBytes?: number;
  /** Wait for room, even where the queue is full. */
  readonly wait: boolean;
}

export class ModelSession<For extends Purpose> {
  readonly model: string;
  readonly #loading: Promise<LoadedFor<For>>;
  readonly #waiting: LoadingQueue;
  /** How much should be computed by one native call. */
  readonly sliceBounds: SliceBounds;
  /** Fires when the session is closed. */
  readonly #closing = new AbortController();
  /** "session" or "reranker", for messages. */
  readonly #noun: string;
  #loaded: LoadedFor<For> | undefined;
  #failure: { error: unknown } | undefined;
  #closed: Promise<void> | undefined;
  #calls = 0;

  constructor(model: string, options: FilledSessionOptions, purpose: For, noun: string) {
    this.model = model;
    this.#noun = noun;
    this.#waiting = new LoadingQueue(options.maxQueue, options.maxQueueBytes);
    this.sliceBounds = sliceBoundsWithin(options);
    this.#loading = this.#load(options, purpose).catch((error: unknown) => {
      this.#failure = { error: this.#closed === undefined ? error : this.#closedError() };
      throw this.#failure.error;
    });
    // A session whose loading failed says so where it is used; nobody may be listening yet.
    this.#loading.catch(() => undefined);
  }

  async #load(options: FilledSessionOptions, purpose: For): Promise<LoadedFor<For>> {
    let loaded: LoadedFor<For> | undefined;
    await traceLoad(
      () => ({ model: this.model }),
      async () => {
        loaded = await loadEngine(this.model, options, purpose, this.#closing.signal);
        return loaded.info;
      },
    );
    if (loaded === undefined) throw new GtewayError('ERR_INTERNAL', 'a session was loaded without its native part');
    this.#loaded = loaded;
    return loaded;
  }

  async ready(): Promise<void> {
    await this.#loading;
    this.throwIfOver();
  }

  get info(): LoadedFor<For>['info'] {
    if (this.#loaded !== undefined) return this.#loaded.info;
    if (this.#failure !== undefined) throw this.#failure.error;
    const noun = this.#noun;
    throw new TypeError(`${noun}.info is known once the model is loaded: await ${noun}.ready() first`);
  }

  /** Undefined until the model is loaded. */
  protected get infoIfLoaded(): LoadedFor<For>['info'] | undefined {
    return this.#loaded?.info;
  }

  stats(): SessionStats {
    return sessionStats(this.#loaded?.native.stats(), this.#waiting.counts());
  }

  /** Throws why loading failed, or ERR_CLOSED from close() on. */
  throwIfOver(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
    if (this.#closed !== undefined) throw this.#closedError();
  }

  /** Calls `callback` with ERR_CLOSED when the session is closed. Returns what takes it back. */
  onClose(callback: (error: GtewayError) => void): () => void {
    return onAbort(this.#closing.signal, () => callback(this.#closedError()));
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    this.#closing.abort();
    const loaded = this.#loaded ?? (await this.#loading.catch(() => undefined));
    await loaded?.native.close();
  }

  /** Does `work` once the model is loaded, until the deadline; what it began natively ends with it. */
  protected async whenLoaded<Result>(
    load: Load,
    deadline: DeadlineOptions,
    work: (info: LoadedFor<For>['info'], call: CallState) => Promise<Result>,
  ): Promise<Result> {
    const calls = new Set<number>();
    let native: NativeSession | undefined;
    let stopWaiting: StopWaiting | undefined;
    const begin = async (ended: () => boolean): Promise<Result> => {
      // Without an await where the model is loaded: the call is in the queue when the method returns.
      const loaded = this.#loaded ?? (await this.#awaitLoading(load, (stop) => (stopWaiting = stop)));
      if (this.#closed !== undefined || ended()) throw this.#closedError();
      const session = loaded.native;
      native = session;
      return work(loaded.info, {
        ended,
        tokenizer: loaded.tokenizer,
        native: (start) => {
          const number = ++this.#calls;
          const result = start(session, number);
          calls.add(number);
          return result.finally(() => calls.delete(number));
        },
      });
    };
    const cancel = (): void => {
      stopWaiting?.('cancelled');
      for (const call of calls) native?.cancel(call);
    };
    try {
      return await withDeadline(deadline, begin, cancel);
    } catch (error) {
      // Slices beside the one that failed.
      cancel();
      throw fromNative(error);
    }
  }

  /** The loaded model. The call counts as waiting until then, or until it calls what `onStop` is given. */
  async #awaitLoading({ texts, moreBytes, wait }: Load, onStop: (stop: StopWaiting) => void): Promise<LoadedFor<For>> {
    if (this.#failure !== undefined) return this.#loading;
    const stop = this.#waiting.enter(texts, wait, moreBytes);
    onStop(stop);
    try {
      return await this.#loading;
    } catch (error) {
      stop('failed');
      throw error;
    } finally {
      stop();
    }
  }

  #closedError(): GtewayError {
    return new GtewayError('ERR_CLOSED', `the ${this.#noun} is closed`);
  }
}
