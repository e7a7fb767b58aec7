/** A session with an embedding model: finds the model's files, loads it natively, and turns calls into native ones. */
import type { NativeEmbedded, NativeSession } from '../../types/binding.js';
import { onAbort } from '../cancellation/abort-listeners.js';
import { type DeadlineOptions, withDeadline } from '../cancellation/deadline.js';
import { checkEmbedOptions, checkTexts, type EmbedOptions } from './embed-options.js';
import { embedList } from './embed-list.js';
import { Embeddings } from '../vectors/embeddings.js';
import { type Loaded, loadEngine } from '../engines/engine-loading.js';
import type { SessionInfo } from '../engines/session-info.js';
import { type ErrorCode, GtewayError } from '../errors.js';
import { LoadingQueue, type StopWaiting } from './loading-queue.js';
import { fromNative } from '../native/errors.js';
import { type EmbeddingSessionOptions, fillSessionOptions } from '../engines/session-options.js';
import { type SliceBounds, sliceBoundsWithin } from './slice-bounds.js';
import { type SessionStats, sessionStats } from './session-stats.js';
import type { Tokenizer } from '../tokenizer/tokenizer.js';
import { describeEmbed, type EmbedTrace, traceEmbed, traceLoad } from './tracing.js';

type FilledOptions = ReturnType<typeof fillSessionOptions>;

export class EmbeddingSession {
  readonly #model: string;
  readonly #loading: Promise<Loaded>;
  readonly #waiting: LoadingQueue;
  /** How much should be embedded by one native call. */
  readonly sliceBounds: SliceBounds;
  /** Fires when the session is closed. */
  readonly #closing = new AbortController();
  #loaded: Loaded | undefined;
  #failure: { error: unknown } | undefined;
  #closed: Promise<void> | undefined;
  #calls = 0;

  /** Throws TypeError or RangeError for options that are unknown or malformed. Everything else comes out of ready(). */
  constructor(model: string, options: EmbeddingSessionOptions) {
    const filled = fillSessionOptions(options);
    this.#model = model;
    this.#waiting = new LoadingQueue(filled.maxQueue, filled.maxQueueBytes);
    this.sliceBounds = sliceBoundsWithin(filled);
    this.#loading = this.#load(filled).catch((error: unknown) => {
      this.#failure = { error: this.#closed === undefined ? error : closedError() };
      throw this.#failure.error;
    });
    // A session whose loading failed says so where it is used; nobody may be listening yet.
    this.#loading.catch(() => undefined);
  }

  async #load(options: FilledOptions): Promise<Loaded> {
    let loaded: Loaded | undefined;
    await traceLoad(
      () => ({ model: this.#model }),
      async () => {
        loaded = await loadEngine(this.#model, options, this.#closing.signal);
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

  get info(): SessionInfo {
    if (this.#loaded !== undefined) return this.#loaded.info;
    if (this.#failure !== undefined) throw this.#failure.error;
    throw new TypeError('session.info is known once the model is loaded: await session.ready() first');
  }

  stats(): SessionStats {
    return sessionStats(this.#loaded?.native.stats(), this.#waiting.counts());
  }

  /** `operation` is what tracing tools are told was called. */
  async embed(
    texts: string | readonly string[],
    options: EmbedOptions = {},
    operation: EmbedTrace['operation'] = 'embed',
  ): Promise<Embeddings> {
    const list = checkTexts(`session.${operation}()`, texts);
    checkEmbedOptions(`session.${operation}()`, options);
    return this.#traced(operation, list, options, false);
  }

  /**
   * The model's tokenizer, for a call with these texts: it counts as waiting until the model is loaded, as `embed` does.
   * Throws why loading failed, or ERR_CLOSED.
   */
  async tokenizerFor(list: readonly string[], options: DeadlineOptions): Promise<Tokenizer> {
    let stopWaiting: StopWaiting | undefined;
    const loaded = await withDeadline(
      options,
      async () => this.#loaded ?? (await this.#whenLoaded(list, false, (stop) => (stopWaiting = stop))),
      () => stopWaiting?.('cancelled'),
    );
    this.throwIfOver();
    return loaded.tokenizer;
  }

  /** For a slice of a stream, whose texts and options are checked: a full queue is waited for. */
  async embedWhenRoom(list: readonly string[], options: EmbedOptions): Promise<Embeddings> {
    return this.#traced('embedStream', list, options, true);
  }

  /** Throws why loading failed, or ERR_CLOSED from close() on. */
  throwIfOver(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
    if (this.#closed !== undefined) throw closedError();
  }

  /** Calls `callback` with ERR_CLOSED when the session is closed. Returns what takes it back. */
  onClose(callback: (error: GtewayError) => void): () => void {
    return onAbort(this.#closing.signal, () => callback(closedError()));
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

  #traced(
    operation: EmbedTrace['operation'],
    list: readonly string[],
    options: EmbedOptions,
    wait: boolean,
  ): Promise<Embeddings> {
    return traceEmbed(
      () => describeEmbed(operation, this.#model, this.#loaded?.info, list, options),
      () => this.#embed(list, options, wait),
    );
  }

  async #embed(list: readonly string[], options: EmbedOptions, wait: boolean): Promise<Embeddings> {
    const calls = new Set<number>();
    let native: NativeSession | undefined;
    let stopWaiting: StopWaiting | undefined;
    const work = async (ended: () => boolean): Promise<Embeddings> => {
      // Without an await where the model is loaded: the call is in the queue when embed() returns.
      const loaded = this.#loaded ?? (await this.#whenLoaded(list, wait, (stop) => (stopWaiting = stop)));
      if (this.#closed !== undefined || ended()) throw closedError();
      native = loaded.native;
      return this.#embedNatively(loaded, list, options, { wait, ended, calls });
    };
    const cancel = (): void => {
      stopWaiting?.('cancelled');
      for (const call of calls) native?.cancel(call);
    };
    try {
      return await withDeadline(options, work, cancel);
    } catch (error) {
      // Slices beside the one that failed.
      cancel();
      throw fromNative(error);
    }
  }

  /** The loaded model. The call counts as waiting until then, or until it calls what `onStop` is given. */
  async #whenLoaded(list: readonly string[], anyway: boolean, onStop: (stop: StopWaiting) => void): Promise<Loaded> {
    if (this.#failure !== undefined) return this.#loading;
    const stop = this.#waiting.enter(list, anyway);
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

  async #embedNatively(
    { native, info }: Loaded,
    list: readonly string[],
    options: EmbedOptions,
    { wait, ended, calls }: { wait: boolean; ended: () => boolean; calls: Set<number> },
  ): Promise<Embeddings> {
    const { pooling = info.pooling, normalize = true, truncate = true, onError = 'throw' } = options;
    const dimensions = options.dimensions ?? info.dimensions;
    if (dimensions > info.dimensions) {
      throw new RangeError(`dimensions: ${dimensions} is more than the ${info.dimensions} that ${info.model} has`);
    }
    const embedSlice = (texts: readonly string[], waitForRoom: boolean): Promise<NativeEmbedded> => {
      const call = ++this.#calls;
      const embedded = native.embed(
        call,
        texts,
        pooling,
        normalize,
        truncate,
        info.maxTokens,
        dimensions,
        waitForRoom,
        true,
      );
      calls.add(call);
      return embedded.finally(() => calls.delete(call));
    };
    const result = await embedList(list, embedSlice, {
      dimensions,
      isRowPerText: pooling !== 'none',
      wait,
      stopAtError: onError === 'throw',
      ended,
      bounds: this.sliceBounds,
    });
    return toEmbeddings(result, dimensions, pooling !== 'none', onError);
  }
}

/** Throws the first of the texts' errors, unless the call goes on. */
function toEmbeddings(
  { data, tokens, truncated, errors }: NativeEmbedded,
  dimensions: number,
  isRowPerText: boolean,
  onError: 'throw' | 'continue',
): Embeddings {
  const failures = new Map<number, GtewayError>();
  for (const { index, code, message } of errors) {
    const error = new GtewayError(code as ErrorCode, message, { details: { index } });
    if (onError === 'throw') throw error;
    failures.set(index, error);
    // Natively zeros, which would pass for a vector that is like nothing.
    if (isRowPerText) data.fill(NaN, index * dimensions, (index + 1) * dimensions);
  }
  return new Embeddings(data, dimensions, tokens, Array.from(truncated, Boolean), failures);
}

function closedError(): GtewayError {
  return new GtewayError('ERR_CLOSED', 'the session is closed');
}
