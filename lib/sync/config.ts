/**
 * What is kept in step with what: the options of `gteway sync init`, from a file and flags. `init` writes the result into
 * the database, where every worker reads it, so that no two of them can differ.
 */
import { rejectUnknownKeys } from '../arguments/known-names.js';
import { show } from '../arguments/show.js';
import { checkName, parseTableName } from './identifiers.js';
import { SyncError } from './sync-error.js';

export const vectorTypes = ['vector', 'halfvec', 'real[]'] as const;
export type VectorType = (typeof vectorTypes)[number];

export interface SyncConfig {
  /** Of this synchronisation, unique in its schema: lower-case letters, digits and underscores. */
  readonly name: string;
  /** Where the queue and all else that is gteway's own lies. */
  readonly schema: string;
  /** `schema.name`. */
  readonly table: string;
  /** Columns that tell rows apart. Without: the primary key. */
  readonly key: readonly string[] | undefined;
  /** Columns that are embedded, joined by line ends; or */
  readonly text: readonly string[] | undefined;
  /** a text in which {column} stands for a column's value. */
  readonly template: string | undefined;
  /** The column of vectors. Beside it, `<vector>_hash` and `<vector>_model` say what it was made of. */
  readonly vector: string;
  /** Without: vector where the database has pgvector, otherwise real[]. */
  readonly type: VectorType | undefined;
  readonly index: 'hnsw' | 'none' | undefined;
  readonly model: string;
  readonly dtype: 'auto' | 'fp32' | 'fp16' | 'bf16' | 'int8' | undefined;
  /** Keep only so many values of each vector. */
  readonly dimensions: number | undefined;
  /** What vectors of this model are marked with: another value means that all are to be made again. */
  readonly modelVersion: string;
  /** Cut texts that are too long for the model. Without, such a row ends as failed. */
  readonly truncate: boolean;
}

/** The options as a file has them. */
export type SyncOptions = { readonly [Name in keyof SyncConfig]?: SyncConfig[Name] };

export const syncOptionNames = [
  'name',
  'schema',
  'table',
  'key',
  'text',
  'template',
  'vector',
  'type',
  'index',
  'model',
  'dtype',
  'dimensions',
  'modelVersion',
  'truncate',
] as const satisfies readonly (keyof SyncConfig)[];

export const defaultSchema = 'gteway_sync';

/** Fills defaults in and checks. `where` is what messages begin with. Throws TypeError or SyncError. */
export function readSyncConfig(where: string, given: unknown): SyncConfig {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw new SyncError(`${where} must hold an object of options, not ${show(given)}`);
  }
  rejectUnknownKeys(given, syncOptionNames, where);
  const value = given as Readonly<Record<string, unknown>>;
  const table = required(where, 'table', text(where, value, 'table'));
  const model = required(where, 'model', text(where, value, 'model'));
  const columns = list(where, value, 'text');
  const template = text(where, value, 'template');
  if ((columns === undefined) === (template === undefined)) {
    throw new SyncError(`${where}: give either text, the columns to embed, or template, a text with {column} in it`);
  }
  const dimensions = count(where, value, 'dimensions');
  const dtype = choice(where, value, 'dtype', ['auto', 'fp32', 'fp16', 'bf16', 'int8'] as const);
  const { name: tableName } = parseTableName(table);
  return {
    name: checkSyncName(text(where, value, 'name') ?? plainName(tableName)),
    schema: checkName('the schema', text(where, value, 'schema') ?? defaultSchema),
    table,
    key: list(where, value, 'key'),
    text: columns,
    template,
    vector: checkName('the vector column', text(where, value, 'vector') ?? 'embedding'),
    type: choice(where, value, 'type', vectorTypes),
    index: choice(where, value, 'index', ['hnsw', 'none'] as const),
    model,
    dtype,
    dimensions,
    modelVersion: text(where, value, 'modelVersion') ?? defaultVersion(model, dtype, dimensions),
    truncate: flag(where, value, 'truncate') ?? true,
  };
}

/** A model's own name, whichever directory it lies in, and what changes its vectors. */
function defaultVersion(model: string, dtype: string | undefined, dimensions: number | undefined): string {
  const name = /^(?:[./~\\]|[A-Za-z]:\\)/.test(model)
    ? (model.split(/[/\\]/).findLast((part) => part !== '') ?? model)
    : model;
  return [
    name,
    ...(dtype === undefined || dtype === 'auto' ? [] : [dtype]),
    ...(dimensions === undefined ? [] : [dimensions]),
  ].join('/');
}

/** Names of tables and triggers are made of it, and must stay below PostgreSQL's 63 bytes. */
function checkSyncName(name: string): string {
  if (/^[a-z_][a-z0-9_]{0,39}$/.test(name)) return name;
  throw new SyncError(`name ${show(name)} must be of at most 40 lower-case letters, digits and underscores; set name`);
}

function plainName(table: string): string {
  const plain = table
    .toLowerCase()
    .replaceAll(/[^a-z0-9_]+/g, '_')
    .slice(0, 40);
  return /^[a-z_]/.test(plain) ? plain : `t_${plain}`.slice(0, 40);
}

type Options = Readonly<Record<string, unknown>>;

function required<Value>(where: string, name: string, value: Value | undefined): Value {
  if (value === undefined) throw new SyncError(`${where}: ${name} is missing`);
  return value;
}

function wrong(where: string, name: string, wanted: string, value: unknown): SyncError {
  return new SyncError(`${where}: ${name} must be ${wanted}, not ${show(value)}`);
}

function text(where: string, options: Options, name: keyof SyncConfig): string | undefined {
  const value = options[name];
  if (value === undefined) return undefined;
  if (typeof value !== 'string' || value.trim() === '') throw wrong(where, name, 'a text that is not empty', value);
  return value;
}

function list(where: string, options: Options, name: keyof SyncConfig): readonly string[] | undefined {
  const value = options[name];
  if (value === undefined) return undefined;
  const items: unknown[] = Array.isArray(value) ? value : [value];
  if (items.length === 0 || !items.every((item) => typeof item === 'string' && item !== '')) {
    throw wrong(where, name, 'a column or a list of columns', value);
  }
  return items as string[];
}

function count(where: string, options: Options, name: keyof SyncConfig): number | undefined {
  const value = options[name];
  if (value === undefined) return undefined;
  if (!Number.isSafeInteger(value) || (value as number) < 1) throw wrong(where, name, 'a whole number from 1', value);
  return value as number;
}

function flag(where: string, options: Options, name: keyof SyncConfig): boolean | undefined {
  const value = options[name];
  if (value !== undefined && typeof value !== 'boolean') throw wrong(where, name, 'true or false', value);
  return value;
}

function choice<const Value extends string>(
  where: string,
  options: Options,
  name: keyof SyncConfig,
  values: readonly Value[],
): Value | undefined {
  const value = options[name];
  if (value === undefined) return undefined;
  if (!values.includes(value as Value)) throw wrong(where, name, `one of ${values.map(show).join(', ')}`, value);
  return value as Value;
}
