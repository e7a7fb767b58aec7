/**
 * What is kept in step with what: the options of `gteway sync init`, from a file and flags. `init` writes the result into
 * the database, where every worker reads it, so that no two of them can differ.
 */
import { rejectUnknownKeys } from '../arguments/known-names.js';
import { show } from '../arguments/show.js';
import { type ChunkBy, chunkWays } from '../documents/chunk-options.js';
import { checkName, parseTableName } from './identifiers.js';
import { SyncError } from './sync-error.js';

export const vectorTypes = ['vector', 'halfvec', 'real[]'] as const;
export type VectorType = (typeof vectorTypes)[number];

/** Texts of any length, as chunks with a vector each, in a table of their own. */
export interface ChunksConfig {
  /** `schema.name`; `init` creates it. */
  readonly table: string;
  /** The most tokens of a chunk, special tokens counted. */
  readonly size: number;
  /** How many tokens, at most, a chunk repeats of the one before it. */
  readonly overlap: number;
  readonly by: ChunkBy;
  /** Keep each chunk's text beside its vector. */
  readonly text: boolean;
}

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
  /** The column of vectors. In the table, `<vector>_hash` and `<vector>_model` say what it was made of. */
  readonly vector: string;
  /** With it, the column of vectors is in this table and not in the one whose texts they are. */
  readonly chunks: ChunksConfig | undefined;
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
export type SyncOptions = {
  readonly [Name in Exclude<keyof SyncConfig, 'chunks'>]?: SyncConfig[Name];
} & { readonly chunks?: Partial<ChunksConfig> };

export const syncOptionNames = [
  'name',
  'schema',
  'table',
  'key',
  'text',
  'template',
  'vector',
  'chunks',
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
  const chunks = chunksOf(where, value.chunks);
  const truncate = flag(where, value, 'truncate');
  if (chunks !== undefined && truncate !== undefined) {
    throw new SyncError(`${where}: chunks leave nothing to cut off; leave truncate out`);
  }
  return {
    name: checkSyncName(text(where, value, 'name') ?? plainName(tableName)),
    schema: checkName('the schema', text(where, value, 'schema') ?? defaultSchema),
    table,
    key: list(where, value, 'key'),
    text: columns,
    template,
    vector: checkName('the vector column', text(where, value, 'vector') ?? 'embedding'),
    chunks,
    type: choice(where, value, 'type', vectorTypes),
    index: choice(where, value, 'index', ['hnsw', 'none'] as const),
    model,
    dtype,
    dimensions,
    modelVersion: text(where, value, 'modelVersion') ?? defaultVersion(model, dtype, dimensions, chunks),
    truncate: truncate ?? true,
  };
}

const chunksOptionNames = ['table', 'size', 'overlap', 'by', 'text'] as const satisfies readonly (keyof ChunksConfig)[];

/** Fewer than any model takes that embeds texts; long enough for a paragraph. */
const defaultChunkSize = 256;

function chunksOf(where: string, given: unknown): ChunksConfig | undefined {
  if (given === undefined) return undefined;
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw wrong(where, 'chunks', 'an object such as { table: "public.article_chunks" }', given);
  }
  const inside = `${where}: chunks`;
  rejectUnknownKeys(given, chunksOptionNames, inside);
  const value = given as Options;
  const table = required(inside, 'table', text(inside, value, 'table'));
  parseTableName(table);
  return {
    table,
    size: count(inside, value, 'size') ?? defaultChunkSize,
    overlap: count(inside, value, 'overlap', 0) ?? 0,
    by: choice(inside, value, 'by', chunkWays) ?? 'paragraph',
    text: flag(inside, value, 'text') ?? false,
  };
}

/** A model's own name, whichever directory it lies in, and what changes its vectors or what stands beside them. */
function defaultVersion(
  model: string,
  dtype: string | undefined,
  dimensions: number | undefined,
  chunks: ChunksConfig | undefined,
): string {
  const name = /^(?:[./~\\]|[A-Za-z]:\\)/.test(model)
    ? (model.split(/[/\\]/).findLast((part) => part !== '') ?? model)
    : model;
  return [
    name,
    ...(dtype === undefined || dtype === 'auto' ? [] : [dtype]),
    ...(dimensions === undefined ? [] : [dimensions]),
    ...(chunks === undefined ? [] : [chunkedAs(chunks)]),
  ].join('/');
}

/** `paragraph-256`, `word-128-16-text`. */
function chunkedAs({ by, size, overlap, text: withText }: ChunksConfig): string {
  return [by, size, ...(overlap === 0 ? [] : [overlap]), ...(withText ? ['text'] : [])].join('-');
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

function text(where: string, options: Options, name: string): string | undefined {
  const value = options[name];
  if (value === undefined) return undefined;
  if (typeof value !== 'string' || value.trim() === '') throw wrong(where, name, 'a text that is not empty', value);
  return value;
}

function list(where: string, options: Options, name: string): readonly string[] | undefined {
  const value = options[name];
  if (value === undefined) return undefined;
  const items: unknown[] = Array.isArray(value) ? value : [value];
  if (items.length === 0 || !items.every((item) => typeof item === 'string' && item !== '')) {
    throw wrong(where, name, 'a column or a list of columns', value);
  }
  return items as string[];
}

function count(where: string, options: Options, name: string, least = 1): number | undefined {
  const value = options[name];
  if (value === undefined) return undefined;
  if (!Number.isSafeInteger(value) || (value as number) < least) {
    throw wrong(where, name, `a whole number from ${least}`, value);
  }
  return value as number;
}

function flag(where: string, options: Options, name: string): boolean | undefined {
  const value = options[name];
  if (value !== undefined && typeof value !== 'boolean') throw wrong(where, name, 'true or false', value);
  return value;
}

function choice<const Value extends string>(
  where: string,
  options: Options,
  name: string,
  values: readonly Value[],
): Value | undefined {
  const value = options[name];
  if (value === undefined) return undefined;
  if (!values.includes(value as Value)) throw wrong(where, name, `one of ${values.map(show).join(', ')}`, value);
  return value as Value;
}
