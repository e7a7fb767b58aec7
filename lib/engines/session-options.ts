/** The options of an embedding session: what they mean, their defaults, and what is refused. */
import { availableParallelism } from 'node:os';
import { isSafetensors } from '../models/model-files.js';
import { binding } from '../native/binding.js';
import { rejectUnknownKeys } from '../arguments/known-names.js';
import { show } from '../arguments/show.js';
import type { Dtype, DownloadProgress } from '../models/resolve.js';

/** Options of a session's cache of vectors. */
export interface CacheOptions {
  /** Bytes, from 1. A vector of 384 values takes some 1.6 KB, and its text is kept beside it. */
  maxBytes: number;
}

const cacheOptionNames = ['maxBytes'] as const satisfies readonly (keyof CacheOptions)[];

export type EngineName = 'auto' | 'ort' | 'encoder';

/** Options of `new Session(model, options)` for an embedding model. */
export interface EmbeddingSessionOptions {
  /**
   * Where to compute. `'auto'`: a CUDA GPU where ONNX Runtime's CUDA libraries load, otherwise the CPU, and
   * `session.info.fallbacks` says why. `'cpu'`, `'cuda'`: that one, or ERR_DEVICE_UNAVAILABLE. With engine `'encoder'`
   * `'cuda'` is gteway's own, which `npm run build:cuda` makes; it has never been run on a GPU, so nothing else leads to it.
   * @default 'auto'
   */
  device?: 'auto' | 'cpu' | 'cuda';
  /** Which GPU, counted from 0 as CUDA counts them. @default 0 */
  deviceId?: number;
  /** The most bytes of GPU memory ONNX Runtime's arena may take. @default no limit */
  gpuMemoryLimit?: number;
  /**
   * What computes. `'encoder'` is gteway's own engine for BERT-shaped models on CPUs, or an error where it cannot run the
   * model (ERR_MODEL_UNSUPPORTED) or not on this machine (ERR_DEVICE_UNAVAILABLE). `'ort'` is ONNX Runtime. `'auto'`: the
   * encoder where it can run the model, otherwise ONNX Runtime, and `session.info.fallbacks` says why. A static model, a
   * table of token vectors, has an engine of its own, and none to choose.
   * @default 'auto'
   */
  engine?: EngineName;
  /**
   * What is computed in. `'auto'` is the fastest whose vectors keep a cosine of at least 0.9999 to fp32: of the encoder
   * bf16 where the processor multiplies it (AVX512_BF16, AMX) and a few texts, measured when the model is loaded, keep
   * that cosine (`session.info.cosine`), otherwise fp32, and fp16 on a GPU. `'int8'` trades exactness for speed: cosines
   * of 0.999, and less for a text of a few words. The encoder makes bf16 and int8 weights
   * from those of the model; ONNX Runtime runs the model's fp32, fp16 or int8 file. A dtype that this machine cannot
   * compute in is ONNX Runtime's (int8) or fp32 (bf16), and `session.info.fallbacks` says so.
   * @default 'auto'
   */
  dtype?: 'auto' | 'fp32' | 'fp16' | 'bf16' | 'int8';
  /** Native threads that tokenize and compute. @default what CPU affinity and the cgroup's quota allow */
  threads?: number;
  /** Tokens computed together, padding counted. More needs more memory. @default the engine's best, 256 on a CPU */
  maxBatchTokens?: number;
  /**
   * Texts that may be waiting or running; a call that would pass it is refused with ERR_OVERLOADED. A call that finds
   * the session idle is taken whatever its size.
   * @default 100000
   */
  maxQueue?: number;
  /**
   * The same bound in bytes: of texts as UTF-8, and of token rows where a call's pooling is 'none' (until a text is
   * tokenized, as many as if each byte were a token). Long texts fill memory before many do.
   * @default 268435456 (256 MiB)
   */
  maxQueueBytes?: number;
  /**
   * Keeps vectors, so that a text that comes again costs a look-up. `maxBytes`: the most memory that vectors and their
   * texts may take; the least recently used leave first. `session.stats().cache` tells what it is worth.
   * @default none
   */
  cache?: CacheOptions;
  /** Where fetched models are kept, in the Hugging Face cache layout. @default the Hugging Face cache */
  cacheDir?: string;
  /**
   * A file of weights instead of the usual ones, relative to the model: `'onnx/model_opset17.onnx'`. A `.safetensors`
   * file is read by the encoder only.
   */
  modelFile?: string;
  /** Never open a connection: use what the cache has, or fail with ERR_OFFLINE. @default true if HF_HUB_OFFLINE says so */
  offline?: boolean;
  /** Called while model files arrive. */
  onProgress?: (progress: DownloadProgress) => void;
}

export const embeddingSessionOptionNames = [
  'device',
  'deviceId',
  'gpuMemoryLimit',
  'engine',
  'dtype',
  'threads',
  'maxBatchTokens',
  'maxQueue',
  'maxQueueBytes',
  'cache',
  'cacheDir',
  'modelFile',
  'offline',
  'onProgress',
] as const satisfies readonly (keyof EmbeddingSessionOptions)[];

/** The same, checked and with every default filled in. 0 stands for "the engine's own choice" or "no limit". */
export interface FilledSessionOptions {
  readonly device: 'auto' | 'cpu' | 'cuda';
  readonly deviceId: number;
  readonly gpuMemoryLimit: number;
  readonly engine: EngineName;
  readonly dtype: 'auto' | Dtype;
  readonly threads: number;
  readonly maxBatchTokens: number;
  readonly maxQueue: number;
  readonly maxQueueBytes: number;
  readonly cacheBytes: number;
  readonly resolve: Pick<EmbeddingSessionOptions, 'cacheDir' | 'modelFile' | 'offline' | 'onProgress'>;
}

/** More threads than this are a typing error, not a machine. */
const mostThreads = 1024;

/** Throws TypeError or RangeError for the first option that is unknown or has a value it cannot have. */
export function fillSessionOptions(options: EmbeddingSessionOptions, where = 'new Session()'): FilledSessionOptions {
  rejectUnknownKeys(options, embeddingSessionOptionNames, where);
  const { cacheDir, modelFile, offline, onProgress } = options;
  checkType(where, 'cacheDir', cacheDir, 'string');
  checkType(where, 'modelFile', modelFile, 'string');
  checkType(where, 'offline', offline, 'boolean');
  checkType(where, 'onProgress', onProgress, 'function');
  const device = oneOf(where, 'device', options.device, ['auto', 'cpu', 'cuda'], 'auto');
  const engine = oneOf(where, 'engine', options.engine, ['auto', 'ort', 'encoder'], 'auto');
  const dtype = oneOf(where, 'dtype', options.dtype, ['auto', 'fp32', 'fp16', 'bf16', 'int8'], 'auto');
  checkTogether(where, engine, device, dtype, modelFile);
  if (engine === 'encoder' && options.gpuMemoryLimit !== undefined) {
    throw new RangeError(`${where}: gpuMemoryLimit bounds ONNX Runtime's arena; engine 'encoder' has none`);
  }
  return {
    device,
    deviceId: integer(where, 'deviceId', options.deviceId, 0, 255, 0),
    gpuMemoryLimit: integer(where, 'gpuMemoryLimit', options.gpuMemoryLimit, 1, Number.MAX_SAFE_INTEGER, 0),
    engine,
    dtype,
    threads: integer(where, 'threads', options.threads, 1, mostThreads, undefined) ?? defaultThreads(),
    maxBatchTokens: integer(where, 'maxBatchTokens', options.maxBatchTokens, 1, 2 ** 31 - 1, 0),
    maxQueue: integer(where, 'maxQueue', options.maxQueue, 1, Number.MAX_SAFE_INTEGER, 100_000),
    maxQueueBytes: integer(where, 'maxQueueBytes', options.maxQueueBytes, 1, Number.MAX_SAFE_INTEGER, 256 * 2 ** 20),
    cacheBytes: cacheBytes(where, options.cache),
    resolve: {
      ...(cacheDir === undefined ? {} : { cacheDir }),
      ...(modelFile === undefined ? {} : { modelFile }),
      ...(offline === undefined ? {} : { offline }),
      ...(onProgress === undefined ? {} : { onProgress }),
    },
  };
}

/** Each is fine, and together they ask for what does not exist. */
function checkTogether(
  where: string,
  engine: string,
  device: string,
  dtype: string,
  modelFile: string | undefined,
): void {
  const refuse = (reason: string): never => {
    throw new RangeError(`${where}: ${reason}`);
  };
  const forEncoder =
    engine === 'encoder' ? "engine 'encoder'" : isSafetensors(modelFile) ? `modelFile '${modelFile}'` : '';
  if (engine === 'ort' && isSafetensors(modelFile)) {
    refuse(`modelFile '${modelFile}': ONNX Runtime reads .onnx files; only the encoder reads this one`);
  }
  if (engine === 'ort' && dtype === 'bf16') {
    refuse("dtype 'bf16': ONNX Runtime runs no bf16 files; only the encoder computes in it");
  }
  if (forEncoder === '') return;
  if (device === 'cuda') {
    if (engine !== 'encoder') refuse(`${forEncoder}: device 'cuda' needs engine 'encoder' to be asked for as well`);
    if (dtype === 'fp32' || dtype === 'int8') {
      refuse(`dtype '${dtype}': on 'cuda' the encoder computes in fp16 and bf16, not in ${dtype}`);
    }
  } else if (dtype === 'fp16') {
    refuse(`${forEncoder}: on the CPU the encoder computes in fp32, bf16 and int8, not in fp16`);
  }
}

function cacheBytes(where: string, cache: CacheOptions | undefined): number {
  if (cache === undefined) return 0;
  if (typeof cache !== 'object' || (cache as unknown) === null || Array.isArray(cache)) {
    throw new TypeError(`${where}: cache must be an object such as { maxBytes: 67108864 }, not ${show(cache)}`);
  }
  rejectUnknownKeys(cache, cacheOptionNames, `${where}: cache`);
  const bytes = integer(where, 'cache.maxBytes', cache.maxBytes, 1, Number.MAX_SAFE_INTEGER, undefined);
  if (bytes === undefined) throw new TypeError(`${where}: cache needs maxBytes, the memory it may take`);
  return bytes;
}

function defaultThreads(): number {
  return Math.min(binding().cpu().threads, Math.max(1, availableParallelism()));
}

function checkType(where: string, name: string, value: unknown, type: 'string' | 'boolean' | 'function'): void {
  if (value !== undefined && typeof value !== type) {
    throw new TypeError(`${where}: ${name} must be a ${type}, not ${show(value)}`);
  }
}

function oneOf<const Value extends string>(
  where: string,
  name: string,
  given: Value | undefined,
  values: readonly Value[],
  fallback: Value,
): Value {
  if (given === undefined) return fallback;
  if (values.includes(given)) return given;
  throw new RangeError(`${where}: ${name} must be one of ${values.map(show).join(', ')}, not ${show(given)}`);
}

function integer<Fallback extends number | undefined>(
  where: string,
  name: string,
  given: number | undefined,
  least: number,
  most: number,
  fallback: Fallback,
): number | Fallback {
  if (given === undefined) return fallback;
  if (typeof given !== 'number') throw new TypeError(`${where}: ${name} must be a number, not ${show(given)}`);
  if (Number.isInteger(given) && given >= least && given <= most) return given;
  throw new RangeError(`${where}: ${name} must be a whole number from ${least} to ${most}, not ${given}`);
}
