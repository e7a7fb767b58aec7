/**
 * Static models: a tokenizer and a table of token vectors, whose mean is the vector of a text. Two programs write them,
 * each with a layout and rules of its own, which are followed where they differ.
 */
import { GtewayError } from '../errors.js';
import { configFile, type FileSet, tokenizerFile } from './file-names.js';

/**
 * `model2vec` (potion): reads 512 tokens of a text and so many characters as go with them, and leaves out what it does
 * not know. `sentence-transformers` (StaticEmbedding): takes texts whole, with their unknown tokens.
 */
export type StaticKind = 'model2vec' | 'sentence-transformers';

/** The tokens of a text that model2vec reads unless told otherwise. */
export const model2vecTokens = 512;

/** For a model that says no limit: as many as the native side can count in a batch. */
export const unlimitedTokens = 2 ** 31 - 1;

export const modulesFile = 'modules.json';

/** Where sentence-transformers of before version 5 put the module. */
const moduleFolder = '0_StaticEmbedding/';

/** Where the files are that every kind of model needs. */
export interface Layout {
  /** The file that says what kind of model it is. */
  readonly describedBy: string;
  readonly tokenizer: string;
}

export function layoutOf(files: FileSet): Layout {
  if (!files.has(configFile) && files.has(modulesFile)) {
    const folder = [moduleFolder, ''].find((each) => files.has(each + tokenizerFile));
    if (folder !== undefined) return { describedBy: modulesFile, tokenizer: folder + tokenizerFile };
  }
  return { describedBy: configFile, tokenizer: tokenizerFile };
}

/** The names that the table of vectors can have, best first. */
export const tableCandidates: readonly string[] = ['model.safetensors', `${moduleFolder}model.safetensors`];

/** Undefined: another kind of model. `config` and `modules` are the contents of those files, where there are such. */
export function staticKind(config: unknown, modules: unknown): StaticKind | undefined {
  const raw = Object(config) as Record<string, unknown>;
  // Files of before 0.3 do not say the type.
  const isUntyped = raw.model_type === undefined && 'hidden_dim' in raw && 'apply_zipf' in raw;
  if (raw.model_type === 'model2vec' || isUntyped) return 'model2vec';
  if (raw.model_type === undefined && moduleTypes(modules)[0] === 'StaticEmbedding') return 'sentence-transformers';
  return undefined;
}

/** Throws where a module comes behind the table that gteway does not have: its vectors would be others. */
export function checkStaticModules(path: string, modules: unknown): void {
  const unknown = moduleTypes(modules)
    .slice(1)
    .find((type) => type !== 'Normalize');
  if (unknown === undefined) return;
  throw new GtewayError(
    'ERR_MODEL_UNSUPPORTED',
    `${path} asks for a layer after the table of vectors that gteway does not have: ${unknown}`,
  );
}

function moduleTypes(modules: unknown): string[] {
  if (!Array.isArray(modules)) return [];
  return (modules as unknown[]).map((module) => {
    const { type } = Object(module) as { type?: unknown };
    return typeof type === 'string' ? (type.split('.').at(-1) ?? '') : '';
  });
}
