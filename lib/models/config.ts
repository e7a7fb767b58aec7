/** Reads a model's own configuration files: the shape of the network, and how its token vectors are pooled. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { GtewayError } from '../errors.js';
import type { PoolingMode } from './registry.js';
import {
  checkStaticModules,
  model2vecTokens,
  modulesFile,
  staticKind,
  type StaticKind,
  unlimitedTokens,
} from './static-model.js';

/** What `config.json` says about the network. */
export interface ModelConfig {
  /** `bert`, `roberta`, `distilbert`, … */
  readonly modelType: string;
  /** Width of the hidden states, so the length of the vectors. Of a static model only its table tells it for certain. */
  readonly hiddenSize?: number;
  /** The longest input in tokens, special tokens included. */
  readonly maxTokens: number;
  /** `max_position_embeddings` as written; RoBERTa-like models cannot use all of it. Static models have none. */
  readonly maxPositionEmbeddings?: number;
  readonly vocabSize?: number;
  /** A table of token vectors, without a network. */
  readonly isStatic: boolean;
  /** The whole file, for readers that need more of it. */
  readonly raw: Readonly<Record<string, unknown>>;
}

/** Other names that families of models give to the same fact. */
const hiddenSizeKeys = ['hidden_size', 'dim', 'd_model', 'n_embd'] as const;
const positionKeys = ['max_position_embeddings', 'n_positions', 'max_seq_len'] as const;

/** These count positions from `pad_token_id + 1`, so that many of their position vectors are never used. */
const offsetPositions = new Set(['roberta', 'xlm-roberta', 'camembert', 'mpnet']);

/**
 * Reads a directory's `config.json`, or of a static model without one `modules.json`. Throws ERR_MODEL_INVALID naming the
 * field that is missing or wrong.
 */
export async function readModelConfig(directory: string): Promise<ModelConfig> {
  const path = join(directory, 'config.json');
  const { kind, config: raw } = await readKind(directory);
  if (kind === 'sentence-transformers') {
    return { modelType: 'static-embedding', maxTokens: unlimitedTokens, isStatic: true, raw: {} };
  }
  if (raw === undefined) throw new GtewayError('ERR_MODEL_NOT_FOUND', `${path} does not exist`);
  if (!isObject(raw)) throw new GtewayError('ERR_MODEL_INVALID', `${path}: expected a JSON object`);
  if (kind === 'model2vec') {
    const { hidden_dim: width } = raw;
    return {
      modelType: 'model2vec',
      ...(typeof width === 'number' && Number.isInteger(width) && width > 0 ? { hiddenSize: width } : {}),
      maxTokens: model2vecTokens,
      isStatic: true,
      raw,
    };
  }
  const modelType = raw.model_type;
  if (typeof modelType !== 'string') {
    throw new GtewayError('ERR_MODEL_INVALID', `${path}: "model_type" is ${show(modelType)}, expected a string`);
  }
  const hiddenSize = positiveInteger(path, raw, hiddenSizeKeys);
  const maxPositionEmbeddings = positiveInteger(path, raw, positionKeys);
  // MPNet's padding is token 1 in transformers, whatever the file says.
  const padding = modelType !== 'mpnet' && typeof raw.pad_token_id === 'number' ? raw.pad_token_id : 1;
  const offset = offsetPositions.has(modelType) ? padding + 1 : 0;
  const vocabSize = raw.vocab_size;
  return {
    modelType,
    hiddenSize,
    maxTokens: maxPositionEmbeddings - offset,
    maxPositionEmbeddings,
    ...(typeof vocabSize === 'number' ? { vocabSize } : {}),
    isStatic: false,
    raw,
  };
}

/**
 * Whether `architectures` names a model with a classification head (`BertForSequenceClassification`), as rerankers are;
 * undefined where it names none at all.
 */
export function classifies({ raw }: ModelConfig): boolean | undefined {
  const { architectures } = raw;
  if (!Array.isArray(architectures) || architectures.length === 0) return undefined;
  return architectures.some((name) => typeof name === 'string' && name.endsWith('ForSequenceClassification'));
}

/** How many classes the head of such a model has: two where nothing says so, as transformers has it. */
export function labelsOf({ raw }: ModelConfig): number {
  if (isObject(raw.id2label)) return Object.keys(raw.id2label).length;
  return typeof raw.num_labels === 'number' ? raw.num_labels : 2;
}

/**
 * What a reranker's logit is put through: what its authors state for sentence-transformers' CrossEncoder, of which older
 * versions wrote another name, else a sigmoid, as CrossEncoder does for models of one label.
 */
export function scoreActivation({ raw }: ModelConfig): 'sigmoid' | 'none' {
  const section = isObject(raw.sentence_transformers) ? raw.sentence_transformers : {};
  const stated = section.activation_fn ?? raw.sbert_ce_default_activation_function;
  if (stated === undefined || stated === null) return 'sigmoid';
  const name = typeof stated === 'string' ? (stated.split('.').at(-1) ?? '') : '';
  if (name === 'Sigmoid') return 'sigmoid';
  if (name === 'Identity') return 'none';
  throw new GtewayError(
    'ERR_MODEL_UNSUPPORTED',
    `config.json puts scores through ${show(stated)}; gteway has Sigmoid and Identity`,
  );
}

/** Whether a directory holds a static model, and whose rules it follows. */
export async function readStaticKind(directory: string): Promise<StaticKind | undefined> {
  return (await readKind(directory)).kind;
}

/** With the contents that tell it, of files that may be missing. */
async function readKind(
  directory: string,
): Promise<{ kind: StaticKind | undefined; config: unknown; modules: unknown }> {
  const config = await readJsonIfPresent(join(directory, 'config.json'));
  const modules = await readJsonIfPresent(join(directory, modulesFile));
  return { kind: staticKind(config, modules), config, modules };
}

/** Files of a sentence-transformers model that say how token vectors become one vector. */
export const poolingFiles = [modulesFile, '1_Pooling/config.json'] as const;

/**
 * The pooling a model directory states, or undefined when it has no sentence-transformers files.
 *
 * Throws ERR_MODEL_UNSUPPORTED when it asks for a pooling or a further layer that gteway does not have: ignoring it
 * would give vectors that look right and are not.
 */
export async function readPooling(directory: string): Promise<PoolingMode | undefined> {
  const { kind, modules } = await readKind(directory);
  if (kind !== undefined) {
    checkStaticModules(join(directory, modulesFile), modules);
    return 'mean';
  }
  checkLayers(join(directory, modulesFile), modules);
  // modules.json names this folder too; every published model uses the same one, and a path out of a downloaded file
  // would have to be distrusted.
  const path = join(directory, '1_Pooling', 'config.json');
  const config = await readJsonIfPresent(path);
  if (config === undefined) return undefined;
  if (!isObject(config)) throw new GtewayError('ERR_MODEL_INVALID', `${path}: expected a JSON object`);

  const modes =
    typeof config.pooling_mode === 'string'
      ? [config.pooling_mode]
      : Object.keys(config)
          .filter((key) => key.startsWith('pooling_mode_') && config[key] === true)
          .map((key) => key.slice('pooling_mode_'.length));
  const mode = modes[0];
  if (modes.length === 1 && (mode === 'mean_tokens' || mode === 'mean')) return 'mean';
  if (modes.length === 1 && (mode === 'cls_token' || mode === 'cls')) return 'cls';
  throw new GtewayError(
    'ERR_MODEL_UNSUPPORTED',
    `${path} asks for the pooling ${modes.length === 0 ? '(none)' : modes.join(' + ')}; gteway has mean and cls`,
  );
}

/** Throws where `modules.json` puts a layer after the transformer that gteway does not have, such as Dense. */
function checkLayers(path: string, modules: unknown): void {
  if (modules === undefined) return;
  if (!Array.isArray(modules)) throw new GtewayError('ERR_MODEL_INVALID', `${path}: expected a JSON array`);
  for (const module of modules as unknown[]) {
    const type = isObject(module) && typeof module.type === 'string' ? (module.type.split('.').at(-1) ?? '') : '';
    if (['Transformer', 'Pooling', 'Normalize'].includes(type)) continue;
    throw new GtewayError(
      'ERR_MODEL_UNSUPPORTED',
      `${path} asks for a layer after the transformer that gteway does not have: ${type === '' ? show(module) : type}`,
    );
  }
}

/** Undefined where there is no such file. Throws ERR_MODEL_INVALID for one that is no JSON. */
export async function readJsonIfPresent(path: string): Promise<unknown> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw new GtewayError('ERR_MODEL_INVALID', `${path} cannot be read: ${(cause as Error).message}`, { cause });
  }
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    throw new GtewayError('ERR_MODEL_INVALID', `${path} is not valid JSON: ${(cause as Error).message}`, { cause });
  }
}

function positiveInteger(path: string, raw: Record<string, unknown>, keys: readonly string[]): number {
  const key = keys.find((candidate) => raw[candidate] !== undefined) ?? keys[0] ?? '';
  const value = raw[key];
  if (typeof value === 'number' && Number.isInteger(value) && value > 0) return value;
  throw new GtewayError(
    'ERR_MODEL_INVALID',
    `${path}: "${key}" is ${show(value)}, expected a positive integer; is this the configuration of a text encoder?`,
  );
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function show(value: unknown): string {
  return value === undefined ? 'missing' : JSON.stringify(value);
}
