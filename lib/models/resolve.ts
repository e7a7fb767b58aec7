/** From a model's name to its files on disk: a directory as it is, a repository from the cache or the hub. */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { GtewayError, isGtewayError } from '../errors.js';
import { directoryFiles } from './cache.js';
import { classifyModel, type ModelReference } from './classify.js';
import { type ModelConfig, readModelConfig, readPooling, readStaticKind } from './config.js';
import {
  chooseWeights,
  type Dtype,
  dtypeOfFile,
  type FileSet,
  isSafetensors,
  missingWeightsMessage,
  tokenizerConfigFile,
  type WeightsChoice,
} from './model-files.js';
import { isRelativeFile, isRevision } from './names.js';
import { knownPrompts, type Prompts, readPrompts } from './prompts.js';
import { nearestKnownModel, type PoolingMode } from './registry.js';
import { type FileSelection, locateRepository } from './repository.js';
import { layoutOf } from './static-model.js';
import type { DownloadProgress } from './download.js';

export type { DownloadProgress } from './download.js';
export type { Dtype } from './model-files.js';

export interface ResolveOptions {
  /**
   * Who is to read the weights. `'encoder'` takes `onnx/model.onnx`, else `model.safetensors`, else the fp16 ONNX file,
   * whatever the dtype: it packs its own. `'static'` takes the table of a static model.
   * @default 'ort', unless `modelFile` is a safetensors file
   */
  engine?: 'ort' | 'encoder' | 'static';
  /**
   * Which ONNX file ONNX Runtime takes: `onnx/model.onnx` (fp32), `onnx/model_fp16.onnx`, `onnx/model_quantized.onnx` or
   * `onnx/model_int8.onnx` (int8); each also without the `onnx/` folder. `'bf16'` takes the fp32 file, since there are
   * no bf16 ONNX files. `'auto'` is fp32.
   * @default 'auto'
   */
  dtype?: 'auto' | Dtype;
  /** A file instead of the one these name, relative to the model: `'onnx/model_opset17.onnx'`, `'model.safetensors'`. */
  modelFile?: string;
  /** Where fetched models are kept, in the Hugging Face cache layout. @default see environment.ts */
  cacheDir?: string;
  /** Open no connection: use what the cache has. @default true if HF_HUB_OFFLINE says so */
  offline?: boolean;
  /** Branch, tag or commit of the hub repository. @default the one in the name (`owner/name@v1`), or `'main'` */
  revision?: string;
  /** Ask the hub what `revision` stands at now, although the cache has it. For `gteway pull`. @default false */
  refresh?: boolean;
  /** Called while files arrive, at most about ten times a second and at each file's start and end. */
  onProgress?: (progress: DownloadProgress) => void;
  /** Stops waiting and downloading at once (ERR_ABORTED). What has arrived is kept and resumed next time. */
  signal?: AbortSignal;
}

/** A model's files, all present. Paths are absolute; a file of the cache is a link into its blobs. */
export interface ResolvedTokenizer {
  /** The model as it was asked for. */
  readonly name: string;
  /** `'directory'`: as given. `'cache'`: nothing was fetched. `'hub'`: something was. */
  readonly source: 'directory' | 'cache' | 'hub';
  /** `owner/name`, when it is from the hub. */
  readonly repository?: string;
  /** The commit, when it is from the hub. */
  readonly revision?: string;
  readonly directory: string;
  readonly configPath: string;
  readonly tokenizerPath: string;
  readonly tokenizerConfigPath?: string;
  readonly config: ModelConfig;
}

export interface ResolvedModel extends ResolvedTokenizer {
  /** Not resolved to its real path: ONNX Runtime finds external data (`model.onnx_data`) beside it. */
  readonly weightsPath: string;
  /** The one asked for; with `'auto'` what the file's name states. */
  readonly dtype: Dtype;
  readonly pooling: PoolingMode;
  /**
   * Who says so: the list of known models, the model's `1_Pooling/config.json`, or nobody (`'default'`: mean, as the
   * Edge runtime pools).
   */
  readonly poolingFrom: 'registry' | 'file' | 'default';
  /** What comes before texts where a call asks for it. */
  readonly prompts: Prompts;
}

/**
 * Finds a model's files, fetching from the hub what neither a directory nor the cache has.
 *
 * A cached model is used without asking the hub. Rejects with TypeError or RangeError for malformed arguments and
 * ERR_MODEL_NOT_FOUND, ERR_MODEL_INVALID, ERR_MODEL_UNSUPPORTED, ERR_OFFLINE, ERR_CACHE_WRITE, ERR_ABORTED or one of
 * ERR_HUB_*.
 */
export async function resolveModel(model: string, options: ResolveOptions = {}): Promise<ResolvedModel> {
  checkOptions(options);
  const reference = classifyModel(model);
  const wanted = options.dtype ?? 'auto';
  const dtype = wanted !== 'auto' ? wanted : options.modelFile === undefined ? 'fp32' : dtypeOfFile(options.modelFile);
  const engine = options.engine ?? (isSafetensors(options.modelFile) ? 'encoder' : 'ort');
  const weights = { engine, dtype, modelFile: options.modelFile };
  const place = await locate(reference, options, { kind: 'model', weights });

  const weightsFile = chooseWeights(directoryFiles(place.directory), weights);
  if (weightsFile === undefined) throw missingWeights(model, place.directory, weights);
  const tokenizer = await describe(model, place);
  const facts = reference.kind === 'known' || reference.kind === 'hub' ? reference.facts : undefined;
  const stated = facts?.pooling ?? (await readPooling(place.directory));
  return {
    ...tokenizer,
    weightsPath: join(place.directory, weightsFile),
    dtype,
    pooling: stated ?? 'mean',
    prompts: facts === undefined ? await readPrompts(place.directory) : knownPrompts(facts),
    poolingFrom: facts !== undefined ? 'registry' : stated !== undefined ? 'file' : 'default',
  };
}

/** Like `resolveModel`, for the tokenizer's files alone: needs no weights, and fetches none. */
export async function resolveTokenizer(
  model: string,
  options: Omit<ResolveOptions, 'engine' | 'dtype' | 'modelFile'> = {},
): Promise<ResolvedTokenizer> {
  checkOptions(options);
  return describe(model, await locate(classifyModel(model), options, { kind: 'tokenizer' }));
}

/**
 * Whether the model is a table of token vectors. Fetches its configuration and tokenizer where nothing nearer tells; a
 * model that cannot be found is none.
 */
export async function isStaticModel(model: string, options: ResolveOptions): Promise<boolean> {
  const reference = classifyModel(model);
  if (reference.kind === 'llm') return false;
  if (reference.kind !== 'directory' && reference.facts !== undefined) return reference.facts.isStatic === true;
  try {
    const { directory } = await locate(reference, options, { kind: 'tokenizer' });
    return (await readStaticKind(directory)) !== undefined;
  } catch (error) {
    // What is missing is told by whoever needs it.
    if (isGtewayError(error, 'ERR_MODEL_NOT_FOUND') || isGtewayError(error, 'ERR_OFFLINE')) return false;
    throw error;
  }
}

interface Place {
  readonly source: ResolvedModel['source'];
  readonly directory: string;
  readonly repository?: string;
  readonly revision?: string;
}

async function locate(reference: ModelReference, options: ResolveOptions, selection: FileSelection): Promise<Place> {
  if (options.signal?.aborted) {
    throw new GtewayError('ERR_ABORTED', `loading '${reference.name}' was aborted`, {
      cause: options.signal.reason,
      details: { model: reference.name },
    });
  }
  if (reference.kind === 'directory') {
    if (options.revision !== undefined) {
      throw new RangeError(
        `revision: '${options.revision}' needs a hub repository; '${reference.name}' is a directory`,
      );
    }
    checkDirectory(reference.name, reference.directory);
    return { source: 'directory', directory: reference.directory };
  }
  if (reference.kind === 'llm') {
    const near = nearestKnownModel(reference.name);
    throw new GtewayError(
      'ERR_MODEL_NOT_FOUND',
      `'${reference.name}' is no embedding model gteway knows${near === undefined ? '' : ` (did you mean '${near}'?)`}; ` +
        'give a known name, a hub repository (owner/name) or a directory (./path)',
      { details: { model: reference.name } },
    );
  }
  const named = reference.kind === 'hub' ? reference.revision : undefined;
  if (named !== undefined && options.revision !== undefined && named !== options.revision) {
    throw new RangeError(
      `model '${reference.name}' names a revision, and the revision option another: '${options.revision}'`,
    );
  }
  return locateRepository(reference, options.revision ?? named ?? 'main', selection, options);
}

async function describe(model: string, place: Place): Promise<ResolvedTokenizer> {
  const { directory } = place;
  const files = directoryFiles(directory);
  const { describedBy, tokenizer } = layoutOf(files);
  return {
    ...place,
    name: model,
    configPath: join(directory, describedBy),
    tokenizerPath: join(directory, tokenizer),
    ...(files.has(tokenizerConfigFile) ? { tokenizerConfigPath: join(directory, tokenizerConfigFile) } : {}),
    config: await readModelConfig(directory),
  };
}

function checkDirectory(name: string, directory: string): void {
  if (!isDirectory(directory)) {
    throw new GtewayError('ERR_MODEL_NOT_FOUND', `'${name}' is not a directory (looked for ${directory})`, {
      details: { model: name, directory },
    });
  }
  const files = directoryFiles(directory);
  const { describedBy, tokenizer } = layoutOf(files);
  const missing = [describedBy, tokenizer].filter((file) => !files.has(file));
  if (missing.length === 0) return;
  throw new GtewayError(
    'ERR_MODEL_NOT_FOUND',
    `${directory} has no ${missing.join(' and no ')}; a model directory needs config.json, tokenizer.json and an ONNX ` +
      `or safetensors file. It has: ${shortList(files)}`,
    { details: { model: name, directory, missing } },
  );
}

function isDirectory(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}

function missingWeights(model: string, directory: string, choice: WeightsChoice): GtewayError {
  const onnxFiles = directoryFiles(directory)
    .list()
    .filter((file) => file.endsWith('.onnx'));
  return new GtewayError('ERR_MODEL_NOT_FOUND', missingWeightsMessage(directory, onnxFiles, choice), {
    details: { model, directory, available: onnxFiles },
  });
}

function shortList(files: FileSet): string {
  const names = files.list();
  if (names.length === 0) return 'nothing';
  return names.slice(0, 20).join(', ') + (names.length > 20 ? `, and ${names.length - 20} more` : '');
}

function checkOptions(options: ResolveOptions): void {
  const { engine, dtype, modelFile, revision, cacheDir } = options;
  if (dtype !== undefined && !['auto', 'fp32', 'fp16', 'bf16', 'int8'].includes(dtype)) {
    throw new RangeError(`dtype must be 'auto', 'fp32', 'fp16', 'bf16' or 'int8', got '${dtype as string}'`);
  }
  for (const [name, value] of Object.entries({ modelFile, revision, cacheDir })) {
    if (value !== undefined && typeof value !== 'string') throw new TypeError(`${name} must be a string`);
    if (value === '') throw new RangeError(`${name} is empty`);
  }
  if (modelFile !== undefined && !(isRelativeFile(modelFile) && /\.(?:onnx|safetensors)$/.test(modelFile))) {
    throw new RangeError(
      "modelFile must be an .onnx or a .safetensors file inside the model, such as 'onnx/model_fp16.onnx', " +
        `got '${modelFile}'`,
    );
  }
  if (engine === 'ort' && isSafetensors(modelFile)) {
    throw new RangeError(`modelFile '${modelFile}': ONNX Runtime reads .onnx files; only the encoder reads this one`);
  }
  if (revision !== undefined && !isRevision(revision)) {
    throw new RangeError(`revision must be a branch, a tag or a commit, got '${revision}'`);
  }
}
