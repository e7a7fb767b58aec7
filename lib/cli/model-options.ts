/**
 * The options that choose a model and how it runs, and the one rule about the bundled model: it stands in only for the
 * model that nobody named. A model given with --model is used or fails.
 */
import { type Command, Option } from 'commander';
import { type GtewayError, isGtewayError } from '../errors.js';
import { bundledModel, bundledNotice } from '../models/bundled.js';
import { classifyModel } from '../models/classify.js';
import { defaultCacheDirectory, expandHome } from '../models/environment.js';
import { fixtureModel, fixtureNotice } from '../models/fixture/fixture-model.js';
import { resolveModel, type ResolvedTokenizer, resolveTokenizer } from '../models/resolve.js';
import { Session } from '../session.js';
import type { EmbeddingSessionOptions, EngineName } from '../engines/session-options.js';
import { nonEmpty, wholeNumber } from './arguments.js';
import { note } from './failure.js';
import { downloadProgress } from './progress.js';

export const defaultModel = 'gte-small';
export const fixtureName = 'fixture';

/** What every command that reads a model takes. */
export interface ModelFlags {
  model?: string;
  cacheDir?: string;
  offline?: true;
}

export type DtypeName = NonNullable<EmbeddingSessionOptions['dtype']>;

/** What every command that runs a model takes besides. */
export interface SessionFlags extends ModelFlags {
  device?: 'auto' | 'cpu' | 'cuda';
  engine?: EngineName;
  dtype?: DtypeName;
  threads?: number;
  maxBatchTokens?: number;
  modelFile?: string;
}

export const engineOption = (): Option =>
  new Option('--engine <engine>', 'what computes').choices(['auto', 'ort', 'encoder']);
export const dtypeOption = (): Option =>
  new Option('--dtype <dtype>', 'what is computed in').choices(['auto', 'fp32', 'fp16', 'bf16', 'int8']);
export const cacheDirOption = (): Option =>
  new Option('--cache-dir <directory>', 'where models are kept (default: the Hugging Face cache)').argParser(nonEmpty);
export const offlineOption = (): Option => new Option('--offline', 'open no connection: use what the cache has');
export const modelFileOption = (): Option =>
  new Option('--model-file <file>', "a file of the model's weights, such as 'onnx/model_fp16.onnx'").argParser(
    nonEmpty,
  );

/** `reranker`: the default of a command that takes rerankers, of which none is in the package. */
export function addModelOptions(command: Command, reranker?: string): Command {
  const about =
    reranker !== undefined
      ? `a known name, a hub repository (owner/name) or a directory (default: ${reranker})`
      : `a known name, a hub repository (owner/name), a directory, or '${fixtureName}' (default: ${defaultModel}, or ` +
        `${bundledModel}, which is in the package, where that cannot be fetched)`;
  return command
    .addOption(new Option('-m, --model <model>', about).argParser(nonEmpty))
    .addOption(cacheDirOption())
    .addOption(offlineOption());
}

export function addSessionOptions(command: Command, reranker?: string): Command {
  return addComputeOptions(addModelOptions(command, reranker).addOption(dtypeOption()));
}

/** Of a command whose model is given elsewhere: where it is kept, and how it runs. */
export function addRuntimeOptions(command: Command): Command {
  return addComputeOptions(command.addOption(cacheDirOption()).addOption(offlineOption()));
}

function addComputeOptions(command: Command): Command {
  return command
    .addOption(new Option('--device <device>', 'where to compute').choices(['auto', 'cpu', 'cuda']))
    .addOption(engineOption())
    .addOption(
      new Option('--threads <n>', 'native threads (default: what affinity and quota allow)').argParser(wholeNumber(1)),
    )
    .addOption(new Option('--max-batch-tokens <n>', 'tokens computed together').argParser(wholeNumber(1)))
    .addOption(modelFileOption());
}

/** A session that is ready, and the name of what it runs. */
export interface OpenedSession {
  readonly session: Session;
  /** The model as a person calls it: the fixture is `fixture`, wherever it lies. */
  readonly name: string;
}

export function sessionOptions(flags: SessionFlags): EmbeddingSessionOptions {
  const { device, engine, dtype, threads, maxBatchTokens, modelFile, cacheDir, offline } = flags;
  return {
    ...(device === undefined ? {} : { device }),
    ...(engine === undefined ? {} : { engine }),
    ...(dtype === undefined ? {} : { dtype }),
    ...(threads === undefined ? {} : { threads }),
    ...(maxBatchTokens === undefined ? {} : { maxBatchTokens }),
    ...(modelFile === undefined ? {} : { modelFile }),
    ...(cacheDir === undefined ? {} : { cacheDir }),
    ...(offline === undefined ? {} : { offline }),
  };
}

export async function openSession(flags: SessionFlags): Promise<OpenedSession> {
  const options = sessionOptions(flags);
  return withModel(flags, async (model, name, onProgress) => {
    // A language model's name would make a session that talks to a server; resolving it says what is wrong instead.
    if (classifyModel(model).kind === 'llm') await resolveModel(model);
    return { session: await Session.load(model, { ...options, onProgress }), name };
  });
}

/** The files of a model's tokenizer. */
export async function openTokenizer(flags: ModelFlags): Promise<ResolvedTokenizer> {
  const { cacheDir, offline } = flags;
  return withModel(flags, (model, _name, onProgress) =>
    resolveTokenizer(model, {
      ...(cacheDir === undefined ? {} : { cacheDir }),
      ...(offline === undefined ? {} : { offline }),
      onProgress,
    }),
  );
}

type Open<T> = (
  model: string,
  name: string,
  onProgress: NonNullable<EmbeddingSessionOptions['onProgress']>,
) => Promise<T>;

async function withModel<T>(flags: ModelFlags, open: Open<T>): Promise<T> {
  const bar = downloadProgress();
  try {
    if (flags.model === fixtureName) {
      const opened = await open(await fixtureDirectory(flags.cacheDir), fixtureName, bar.onProgress);
      note(`the fixture model: ${fixtureNotice}`);
      return opened;
    }
    const model = flags.model ?? defaultModel;
    return await open(model, model, bar.onProgress);
  } catch (error) {
    if (flags.model !== undefined || !isOutOfReach(error)) throw error;
    bar.stop();
    const opened = await open(bundledModel, bundledModel, bar.onProgress);
    note(`WARNING: ${defaultModel} could not be fetched: ${error.message}`);
    note(`WARNING: ${bundledModel} stands in for it: ${bundledNotice}`);
    return opened;
  } finally {
    bar.stop();
  }
}

/** The fixture's directory below the cache; written on first use. */
export function fixtureDirectory(cacheDir: string | undefined): Promise<string> {
  return fixtureModel(cacheDir === undefined ? defaultCacheDirectory() : expandHome(cacheDir));
}

function isOutOfReach(error: unknown): error is GtewayError {
  return isGtewayError(error, 'ERR_HUB_UNREACHABLE') || isGtewayError(error, 'ERR_OFFLINE');
}
