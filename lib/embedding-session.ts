/** A session with an embedding model: finds the model's files, loads it natively, and turns calls into native ones. */
import type { NativeEmbedded, NativeLoaded, NativeSession } from '../types/binding.js';
import { onAbort } from './abort-listeners.js';
import { withDeadline } from './deadline.js';
import { checkEmbedOptions, checkTexts, type EmbedOptions } from './embed-options.js';
import { embedList, type SliceBounds, sliceBounds } from './embed-list.js';
import { Embeddings } from './embeddings.js';
import { type ErrorCode, GtewayError } from './errors.js';
import { LoadingQueue, type Outcome } from './loading-queue.js';
import { type ResolvedModel, resolveModel } from './models/resolve.js';
import { binding } from './native/binding.js';
import { fromNative } from './native/errors.js';
import { ortLibraryPath } from './native/ort-library.js';
import { type EmbeddingSessionOptions, fillSessionOptions } from './session-options.js';
import { type SessionStats, sessionStats } from './session-stats.js';
import { Tokenizer } from './tokenizer.js';
import { type EmbedTrace, traceEmbed, traceLoad } from './tracing.js';

/** What really runs, once the model is loaded. */
export interface SessionInfo {
  /** The model as it was asked for. */
  readonly model: string;
  /** Values in a vector. */
  readonly dimensions: number;
  /** The longest text in tokens, special tokens counted; longer ones are cut. */
  readonly maxTokens: number;
  /** How token vectors become a row where a call does not say. */
  readonly pooling: 'mean' | 'cls';
  /** `'cpu'`, or `'cuda:0'` and so on. */
  readonly device: string;
  /** `'ort'`: ONNX Runtime. */
  readonly engine: string;
  /** Precision of the weights. */
  readonly dtype: string;
  /** The instruction set of gteway's own kernels. */
  readonly isa: string;
  /** Native threads that tokenize and compute. */
  readonly threads: number;
  /** The most tokens computed together, padding counted. */
  readonly maxBatchTokens: number;
  /** The ONNX file in use. */
  readonly modelFile: string;
  /** What would have been better and could not be had, each with the reason. */
  readonly fallbacks: readonly { readonly wanted: string; readonly reason: string }[];
}

interface Loaded {
  readonly native: NativeSession;
  readonly info: SessionInfo;
}

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
    let native: NativeSession | undefined;
    const info = await traceLoad(
      () => ({ model: this.#model }),
      async () => {
        const signal = this.#closing.signal;
        const files = await resolveModel(this.#model, { ...options.resolve, dtype: options.dtype, signal });
        const tokenizer = await Tokenizer.fromDirectory(files.directory);
        signal.throwIfAborted();
        native = createNative(files, Tokenizer.nativeOf(tokenizer), options);
        return this.#start(native, files, tokenizer.maxTokens, options.threads);
      },
    );
    if (native === undefined) throw new GtewayError('ERR_INTERNAL', 'a session was loaded without its native part');
    this.#loaded = { native, info };
    return this.#loaded;
  }

  async #start(native: NativeSession, files: ResolvedModel, maxTokens: number, threads: number): Promise<SessionInfo> {
    const stopListening = onAbort(this.#closing.signal, () => void native.close());
    try {
      const loaded = await native.ready();
      checkDimensions(files, loaded);
      return describe(this.#model, files, maxTokens, threads, loaded);
    } catch (error) {
      await native.close();
      throw fromNative(error);
    } finally {
      stopListening();
    }
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
      () => traceOf(operation, this.#model, this.#loaded?.info, list, options),
      () => this.#embed(list, options, wait),
    );
  }

  async #embed(list: readonly string[], options: EmbedOptions, wait: boolean): Promise<Embeddings> {
    const calls = new Set<number>();
    let native: NativeSession | undefined;
    let stopWaiting: ((outcome?: Outcome) => void) | undefined;
    const work = async (ended: () => boolean): Promise<Embeddings> => {
      if (this.#loaded === undefined && this.#failure === undefined) {
        stopWaiting = this.#waiting.enter(list, wait);
        await this.#loading.catch(() => stopWaiting?.('failed'));
        stopWaiting();
      }
      const loaded = await this.#loading;
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
      return embedded.then((r) => ({ ...r, errors: r.errors ?? [] })).finally(() => calls.delete(call));
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

/** Slices that leave room for others: three of them, which is how many a call has in flight, fit the queue. */
function sliceBoundsWithin({ maxQueue, maxQueueBytes }: FilledOptions): SliceBounds {
  const third = (bound: number): number => Math.max(1, Math.floor(bound / 3));
  return {
    mostTexts: Math.min(sliceBounds.mostTexts, third(maxQueue)),
    mostCharacters: Math.min(sliceBounds.mostCharacters, third(maxQueueBytes)),
  };
}

function traceOf(
  operation: EmbedTrace['operation'],
  model: string,
  info: SessionInfo | undefined,
  list: readonly string[],
  { pooling, normalize, truncate, dimensions, timeout, onError }: EmbedOptions,
): EmbedTrace {
  return {
    operation,
    model,
    info,
    texts: list.length,
    characters: list.reduce((sum, text) => sum + text.length, 0),
    options: {
      ...(pooling === undefined ? {} : { pooling }),
      ...(normalize === undefined ? {} : { normalize }),
      ...(truncate === undefined ? {} : { truncate }),
      ...(dimensions === undefined ? {} : { dimensions }),
      ...(timeout === undefined ? {} : { timeout }),
      ...(onError === undefined ? {} : { onError }),
    },
  };
}

function createNative(
  files: ResolvedModel,
  tokenizer: object,
  options: ReturnType<typeof fillSessionOptions>,
): NativeSession {
  return new (binding().NativeSession)(
    tokenizer,
    files.onnxPath,
    files.dtype,
    options.device,
    options.deviceId,
    options.gpuMemoryLimit,
    options.threads,
    options.maxBatchTokens,
    options.maxQueue,
    ortLibraryPath(),
    options.maxQueueBytes,
    options.cacheBytes,
  );
}

/** A model whose configuration and graph disagree is not the model its files say it is. */
function checkDimensions(files: ResolvedModel, loaded: NativeLoaded): void {
  if (files.config.hiddenSize === loaded.dimensions) return;
  throw new GtewayError(
    'ERR_MODEL_INVALID',
    `${files.configPath} says the vectors have ${files.config.hiddenSize} values, ${files.onnxPath} makes ` +
      `${loaded.dimensions}: these files are not of one model`,
  );
}

function describe(
  model: string,
  files: ResolvedModel,
  maxTokens: number,
  threads: number,
  loaded: NativeLoaded,
): SessionInfo {
  return {
    model,
    dimensions: loaded.dimensions,
    maxTokens,
    pooling: files.pooling,
    device: loaded.device,
    engine: loaded.engine,
    dtype: loaded.dtype,
    isa: binding().cpu().isa,
    threads,
    maxBatchTokens: loaded.maxBatchTokens,
    modelFile: files.onnxPath,
    fallbacks: loaded.fallbacks,
  };
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
