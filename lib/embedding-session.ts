/** A session with an embedding model: finds the model's files, loads it natively, and turns calls into native ones. */
import type { NativeEmbedded, NativeLoaded, NativeSession } from '../types/binding.js';
import { withDeadline } from './deadline.js';
import { checkEmbedOptions, checkTexts, type EmbedOptions } from './embed-options.js';
import { Embeddings } from './embeddings.js';
import { GtewayError } from './errors.js';
import { type ResolvedModel, resolveModel } from './models/resolve.js';
import { binding } from './native/binding.js';
import { fromNative } from './native/errors.js';
import { ortLibraryPath } from './native/ort-library.js';
import { type EmbeddingSessionOptions, fillSessionOptions } from './session-options.js';
import { Tokenizer } from './tokenizer.js';

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

export class EmbeddingSession {
  readonly #loading: Promise<Loaded>;
  readonly #abortLoading = new AbortController();
  #loaded: Loaded | undefined;
  #closed: Promise<void> | undefined;
  #calls = 0;

  /** Throws TypeError or RangeError for options that are unknown or malformed. Everything else comes out of ready(). */
  constructor(model: string, options: EmbeddingSessionOptions) {
    const filled = fillSessionOptions(options);
    this.#loading = this.#load(model, filled).catch((error: unknown) => {
      throw this.#closed === undefined ? error : closedError();
    });
    // A session whose loading failed says so where it is used; nobody may be listening yet.
    this.#loading.catch(() => undefined);
  }

  async #load(model: string, options: ReturnType<typeof fillSessionOptions>): Promise<Loaded> {
    const signal = this.#abortLoading.signal;
    const files = await resolveModel(model, { ...options.resolve, dtype: options.dtype, signal });
    const tokenizer = await Tokenizer.fromDirectory(files.directory);
    signal.throwIfAborted();
    const native = createNative(files, Tokenizer.nativeOf(tokenizer), options);
    signal.addEventListener('abort', () => void native.close(), { once: true });
    try {
      const loaded = await native.ready();
      checkDimensions(files, loaded);
      this.#loaded = {
        native,
        info: describe(model, files, tokenizer.maxTokens, options.threads, loaded),
      };
      return this.#loaded;
    } catch (error) {
      await native.close();
      throw fromNative(error);
    }
  }

  async ready(): Promise<void> {
    await this.#loading;
  }

  get info(): SessionInfo {
    if (this.#loaded === undefined) {
      throw new TypeError('session.info is known once the model is loaded: await session.ready() first');
    }
    return this.#loaded.info;
  }

  async embed(texts: string | readonly string[], options: EmbedOptions = {}): Promise<Embeddings> {
    const list = checkTexts('session.embed()', texts);
    checkEmbedOptions(options);
    const call = ++this.#calls;
    let native: NativeSession | undefined;
    const work = async (ended: () => boolean): Promise<Embeddings> => {
      const loaded = this.#loaded ?? (await this.#loading);
      if (this.#closed !== undefined || ended()) throw closedError();
      native = loaded.native;
      const { info } = loaded;
      const dimensions = options.dimensions ?? info.dimensions;
      if (dimensions > info.dimensions) {
        throw new RangeError(`dimensions: ${dimensions} is more than the ${info.dimensions} that ${info.model} has`);
      }
      const result = await native.embed(
        call,
        list,
        options.pooling ?? info.pooling,
        options.normalize ?? true,
        options.truncate ?? true,
        info.maxTokens,
        dimensions,
        false,
        false,
      );
      return toEmbeddings(result, dimensions);
    };
    try {
      return await withDeadline(options, work, () => native?.cancel(call));
    } catch (error) {
      throw fromNative(error);
    }
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    this.#abortLoading.abort();
    const loaded = this.#loaded ?? (await this.#loading.catch(() => undefined));
    await loaded?.native.close();
  }
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
    256 * 2 ** 20,
    0,
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

function toEmbeddings({ data, tokens, truncated }: NativeEmbedded, dimensions: number): Embeddings {
  return new Embeddings(data, dimensions, tokens, Array.from(truncated, Boolean));
}

function closedError(): GtewayError {
  return new GtewayError('ERR_CLOSED', 'the session is closed');
}
