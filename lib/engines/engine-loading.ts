/** Loads a model with the first engine of the plan that can run it. */
import type { NativeLoaded, NativeSession } from '../../types/binding.js';
import { onAbort } from '../cancellation/abort-listeners.js';
import { type EngineAttempt, type Fallback, planEngines, planStatic } from './engine-plan.js';
import { GtewayError, isGtewayError } from '../errors.js';
import { classifies, labelsOf, type ModelConfig, scoreActivation } from '../models/config.js';
import { isStaticModel, type ResolvedModel, type ResolveOptions, resolveModel } from '../models/resolve.js';
import { knownModel } from '../models/registry.js';
import { knownReranker } from '../models/rerankers.js';
import { binding } from '../native/binding.js';
import { cudaLibraryPath } from '../native/cuda-library.js';
import { fromNative } from '../native/errors.js';
import { ortLibraryPath } from '../native/ort-library.js';
import type { EngineName, FilledSessionOptions } from './session-options.js';
import type { ModelInfo, RerankerInfo, SessionInfo } from './session-info.js';
import { Tokenizer } from '../tokenizer/tokenizer.js';

/** What a model is loaded for. */
export type Purpose = 'embedding' | 'reranking';

interface InfoFor {
  embedding: SessionInfo;
  reranking: RerankerInfo;
}

export interface LoadedFor<For extends Purpose> {
  readonly native: NativeSession;
  readonly info: InfoFor[For];
  readonly tokenizer: Tokenizer;
}

/**
 * Rejects with the last engine's reason when none can run the model. `signal` gives up, and closes what is being loaded.
 */
export async function loadEngine<For extends Purpose>(
  model: string,
  options: FilledSessionOptions,
  purpose: For,
  signal: AbortSignal,
): Promise<LoadedFor<For>> {
  // Nothing needs to be fetched to know.
  if (purpose === 'embedding' && knownReranker(model) !== undefined) throw isReranker(model);
  if (purpose === 'reranking' && knownModel(model) !== undefined) throw isNoReranker(model);
  const engineOptions = { ...options, modelFile: options.resolve.modelFile };
  const plan = (await isStaticModel(model, { ...options.resolve, signal }))
    ? [planStatic(model, engineOptions)]
    : planEngines(engineOptions);
  const fallbacks: Fallback[] = [];
  let refused: GtewayError | undefined;
  for (const [i, step] of plan.entries()) {
    if ('wanted' in step) {
      fallbacks.push(step);
      continue;
    }
    if (step.engine === 'encoder' && refused !== undefined) continue;
    const later = plan.slice(i + 1).filter((candidate) => 'engine' in candidate);
    try {
      const { native, loaded, files, tokenizer } = await attempt(model, step, options, purpose, signal);
      const common = {
        ...describe(model, files, tokenizer.maxTokens, options.threads, loaded),
        fallbacks: [...fallbacks, ...loaded.fallbacks],
      };
      const info: { [P in Purpose]: () => InfoFor[P] } = {
        embedding: () => ({ ...common, dimensions: loaded.dimensions, pooling: files.pooling, prompts: files.prompts }),
        reranking: () => ({ ...common, activation: scoreActivation(files.config) }),
      };
      return { native, info: info[purpose](), tokenizer };
    } catch (error) {
      signal.throwIfAborted();
      if (!isGtewayError(error)) throw error;
      const reason = reasonToGoOn(step, error);
      // A model that is none for the encoder is none in any dtype.
      const left = reason?.wanted === 'encoder' ? later.filter(({ engine }) => engine === 'ort') : later;
      if (reason === undefined || left.length === 0) throw withReason(error, refused);
      fallbacks.push(reason);
      if (reason.wanted === 'encoder') refused = error;
    }
  }
  throw new GtewayError('ERR_INTERNAL', 'a plan without an engine');
}

/** What `error` says against this way of running the model, where another one may do better. */
function reasonToGoOn({ engine, dtype }: EngineAttempt, error: GtewayError): Fallback | undefined {
  const { code, message, details } = error;
  if ('isForAnyEngine' in details) return undefined;
  if (engine === 'ort') {
    // Only on CUDA is ONNX Runtime not the last one.
    const isAboutCuda = code === 'ERR_DEVICE_UNAVAILABLE' || code === 'ERR_RUNTIME_UNAVAILABLE';
    return isAboutCuda ? { wanted: 'cuda', reason: message } : undefined;
  }
  if (engine === 'static') return undefined;
  // Its vectors in this dtype are not near enough to those in fp32; those of a wider one may be.
  if (code === 'ERR_INFERENCE_FAILED') return { wanted: dtype, reason: message };
  const isAnotherModel = code === 'ERR_MODEL_UNSUPPORTED' || code === 'ERR_MODEL_INVALID';
  return isAnotherModel || lacksWeights(error) ? { wanted: 'encoder', reason: message } : undefined;
}

/** The model is there, and the weights that an engine reads are not. */
function lacksWeights({ code, details }: GtewayError): boolean {
  return code === 'ERR_OFFLINE' || (code === 'ERR_MODEL_NOT_FOUND' && 'available' in details);
}

/** The files of the first engine that would be tried and whose weights the model has. Loads nothing. */
export async function resolveForEngines(
  model: string,
  { engine = 'auto', dtype = 'auto', ...options }: Omit<ResolveOptions, 'engine'> & { engine?: EngineName },
): Promise<ResolvedModel> {
  const engineOptions = { engine, dtype, device: 'auto' as const, modelFile: options.modelFile };
  const plan = (await isStaticModel(model, options)) ? [planStatic(model, engineOptions)] : planEngines(engineOptions);
  const attempts = plan.filter((step) => 'engine' in step);
  for (const [i, step] of attempts.entries()) {
    try {
      return await resolveModel(model, { ...options, engine: step.engine, dtype: step.dtype });
    } catch (error) {
      if (i + 1 === attempts.length || !isGtewayError(error) || !lacksWeights(error)) throw error;
    }
  }
  throw new GtewayError('ERR_INTERNAL', 'a plan without an engine');
}

/** Where ONNX Runtime, or a file for it, is what is missing, why the encoder does not do is the other half of the answer. */
function withReason(error: GtewayError, refused: GtewayError | undefined): GtewayError {
  if (refused === undefined) return error;
  const isMissing = error.code === 'ERR_RUNTIME_UNAVAILABLE' || lacksWeights(error);
  // Where weights are missing for both, one list of the files there is enough.
  if (!isMissing || lacksWeights(refused)) return error;
  const { code, message, details } = error;
  const reason = `ONNX Runtime would be needed because the encoder does not run this model: ${refused.message}`;
  return new GtewayError(code, `${message} ${reason}`, { cause: error, details });
}

async function attempt(
  model: string,
  { engine, device, dtype, leastCosine = 0 }: EngineAttempt,
  options: FilledSessionOptions,
  purpose: Purpose,
  signal: AbortSignal,
): Promise<{ native: NativeSession; loaded: NativeLoaded; files: ResolvedModel; tokenizer: Tokenizer }> {
  const files = await resolveModel(model, { ...options.resolve, engine, dtype, signal });
  checkPurpose(model, files.config, purpose);
  const tokenizer = await Tokenizer.fromDirectory(files.directory);
  signal.throwIfAborted();
  const { deviceId, gpuMemoryLimit, threads, maxBatchTokens, maxQueue, maxQueueBytes, cacheBytes } = options;
  const native = new (binding().NativeSession)({
    tokenizer: Tokenizer.nativeOf(tokenizer),
    weightsPath: files.weightsPath,
    configPath: files.configPath,
    engine,
    library: engine === 'ort' ? ortLibraryPath() : device === 'cuda' ? cudaLibraryPath() : '',
    dtype,
    device,
    deviceId,
    gpuMemoryLimit,
    threads,
    maxBatchTokens,
    pooling: files.pooling,
    leastCosine,
    maxQueue,
    maxQueueBytes,
    cacheBytes,
  });
  const stopListening = onAbort(signal, () => void native.close());
  try {
    const loaded = await native.ready();
    checkHead(model, loaded, purpose);
    if (loaded.dimensions > 0) checkDimensions(files, loaded);
    return { native, loaded, files, tokenizer };
  } catch (error) {
    await native.close();
    throw fromNative(error);
  } finally {
    stopListening();
  }
}

/** In the details of an error that no other engine would do better about. */
const finalDetail = { isForAnyEngine: true } as const;

/** Before the weights are read, and maybe fetched: what config.json says the model is for. */
function checkPurpose(model: string, config: ModelConfig, purpose: Purpose): void {
  if (config.isStatic && purpose === 'reranking') throw isNoReranker(model, true);
  const scores = classifies(config);
  if (scores === undefined) return;
  if (scores && purpose === 'embedding') throw isReranker(model, true);
  if (!scores && purpose === 'reranking') throw isNoReranker(model, true);
  if (scores) checkLabels(model, labelsOf(config), true);
}

function checkHead(model: string, { dimensions, labels }: NativeLoaded, purpose: Purpose): void {
  if (purpose === 'embedding') {
    if (dimensions === 0) throw isReranker(model);
  } else if (labels === 0) {
    throw isNoReranker(model);
  } else {
    checkLabels(model, labels);
  }
}

function checkLabels(model: string, labels: number, isFinal = false): void {
  if (labels === 1) return;
  throw new GtewayError(
    'ERR_MODEL_UNSUPPORTED',
    `'${model}' sorts texts into ${labels} classes; a Reranker needs a model with one score for a pair`,
    { details: { model, labels, ...(isFinal ? finalDetail : {}) } },
  );
}

function isReranker(model: string, isFinal = false): GtewayError {
  return new GtewayError(
    'ERR_MODEL_UNSUPPORTED',
    `'${model}' is a reranker: it scores pairs of texts and makes no vectors. Use it with new Reranker('${model}')`,
    { details: { model, ...(isFinal ? finalDetail : {}) } },
  );
}

function isNoReranker(model: string, isFinal = false): GtewayError {
  return new GtewayError(
    'ERR_MODEL_UNSUPPORTED',
    `'${model}' is no reranker: it has no classification head to score a pair of texts with. If it is an embedding ` +
      `model, use it with new Session('${model}')`,
    { details: { model, ...(isFinal ? finalDetail : {}) } },
  );
}

/** A model whose configuration and graph disagree is not the model its files say it is. */
function checkDimensions(files: ResolvedModel, loaded: NativeLoaded): void {
  // What a static model's configuration says of its vectors may be of those it was made from.
  if (files.config.isStatic || files.config.hiddenSize === loaded.dimensions) return;
  throw new GtewayError(
    'ERR_MODEL_INVALID',
    `${files.configPath} says the vectors have ${files.config.hiddenSize} values, ${files.weightsPath} makes ` +
      `${loaded.dimensions}: these files are not of one model`,
  );
}

function describe(
  model: string,
  files: ResolvedModel,
  maxTokens: number,
  threads: number,
  loaded: NativeLoaded,
): ModelInfo {
  return {
    model,
    maxTokens,
    device: loaded.device,
    engine: loaded.engine,
    dtype: loaded.dtype,
    cosine: loaded.cosine,
    isa: loaded.isa,
    threads,
    maxBatchTokens: loaded.maxBatchTokens,
    modelFile: files.weightsPath,
    fallbacks: loaded.fallbacks,
  };
}
