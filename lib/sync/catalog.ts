/** What the database has: the table, its key, the types of its columns, pgvector. Refuses what cannot be kept in step. */
import type { SyncConfig, VectorType } from './config.js';
import { chunkColumns, chunkCountColumn, chunkTextColumn } from './chunk-columns.js';
import { contentColumns } from './content.js';
import { parseTableName, quoteTable, type TableName } from './identifiers.js';
import { SyncError } from './sync-error.js';

/** What runs a statement: a pool, a client of one, or a client. */
export interface Queryable {
  // The driver's own signature: it believes the caller.
  // eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters
  query<Row extends object>(sql: string, values?: unknown[]): Promise<{ rows: Row[]; rowCount: number | null }>;
}

export interface KeyColumn {
  readonly name: string;
  /** As SQL writes it. */
  readonly type: string;
}

/** A configuration and the database it was found to fit: all that the statements need. */
export interface Target {
  readonly config: SyncConfig;
  readonly table: TableName;
  readonly key: readonly KeyColumn[];
  /** Where vectors are in a table of chunks. */
  readonly chunks: TableName | undefined;
  /** As SQL writes it, without dimensions: extensions.vector. */
  readonly vectorType: string;
  /** Where pgvector's operator classes are; undefined for real[]. */
  readonly vectorSchema: string | undefined;
  readonly dimensions: number;
}

interface Column {
  readonly name: string;
  readonly type: string;
  /** Whether `=` of this type is PostgreSQL's own, which is found whatever the search path. */
  readonly plain: boolean;
}

/** Throws SyncError where the table, a column or a type is not there or does not fit. */
export async function findTarget(db: Queryable, config: SyncConfig, dimensions: number): Promise<Target> {
  const table = parseTableName(config.table);
  const columns = await columnsOf(db, table);
  for (const name of contentColumns(config)) requireColumn(columns, table, name);
  const key = (config.key ?? (await primaryKey(db, table))).map((name) => {
    const column = requireColumn(columns, table, name);
    if (!column.plain) {
      throw new SyncError(`key column "${name}" is of type ${column.type}; keys must be of types of PostgreSQL's own`);
    }
    return { name, type: column.type };
  });
  if (config.key !== undefined) await requireUnique(db, table, config.key);
  const vector = await findVectorType(db, config.type);
  const wanted = vector.schema === undefined ? vector.sql : `${vector.sql}(${dimensions})`;
  const chunks = config.chunks === undefined ? undefined : parseTableName(config.chunks.table);
  refuseOtherForm(columns, table, config);
  if (chunks === undefined) requireType(columns, table, { name: config.vector, type: wanted });
  else await requireChunks(db, chunks, { table, key, vector: { name: config.vector, type: wanted } });
  if (vector.schema !== undefined && config.index !== 'none' && dimensions > (vector.type === 'vector' ? 2000 : 4000)) {
    throw new SyncError(`pgvector indexes no ${vector.type} of ${dimensions} dimensions; set index to 'none'`);
  }
  return { config, table, key, chunks, vectorType: vector.sql, vectorSchema: vector.schema, dimensions };
}

/** Marks of the other form would be taken for true where the vectors are those of an earlier text. */
function refuseOtherForm(columns: ReadonlyMap<string, Column>, table: TableName, config: SyncConfig): void {
  const [other, form] =
    config.chunks === undefined
      ? [chunkCountColumn(config.vector), 'vectors of chunks']
      : [config.vector, 'a vector for each row'];
  if (!columns.has(other)) return;
  throw new SyncError(
    `${quoteTable(table)} has a column "${other}" of ${form}: remove it with gteway sync remove --drop-columns, ` +
      'or choose another name with vector',
  );
}

/** A column that is not there yet will be of the type. */
function requireType(columns: ReadonlyMap<string, Column>, table: TableName, { name, type }: KeyColumn): void {
  const existing = columns.get(name)?.type;
  if (existing === undefined || existing === type) return;
  throw new SyncError(
    `column "${name}" of ${quoteTable(table)} is of type ${existing}; ${type} is needed: name another one, or drop it`,
  );
}

/** A table of chunks that is there already must be one, of this table. */
async function requireChunks(
  db: Queryable,
  chunks: TableName,
  of: { readonly table: TableName; readonly key: readonly KeyColumn[]; readonly vector: KeyColumn },
): Promise<void> {
  const own = [...chunkColumns, chunkTextColumn, of.vector];
  for (const { name } of of.key) {
    if (!own.some((column) => column.name === name)) continue;
    throw new SyncError(`key column "${name}" has the name of a column that tables of chunks have of their own`);
  }
  const there = await db.query<{ there: boolean }>('SELECT to_regclass($1) IS NOT NULL AS there', [quoteTable(chunks)]);
  if (there.rows[0]?.there !== true) return;
  const columns = await columnsOf(db, chunks);
  for (const column of [...of.key, ...chunkColumns, of.vector]) {
    requireColumn(columns, chunks, column.name);
    requireType(columns, chunks, column);
  }
  requireType(columns, chunks, chunkTextColumn);
  const { rows } = await db.query<{ columns: readonly string[] }>(cascades, [quoteTable(chunks), quoteTable(of.table)]);
  const wanted = JSON.stringify(of.key.map(({ name }) => name).sort());
  if (rows.some((key) => JSON.stringify([...key.columns].sort()) === wanted)) return;
  throw new SyncError(
    `${quoteTable(chunks)} is there already, and has no foreign key to ${quoteTable(of.table)} that cascades: ` +
      'name another table for chunks, or drop it',
  );
}

/** Columns of foreign keys from $1 to $2 with both cascades. */
const cascades = `
  SELECT (SELECT array_agg(a.attname::text) FROM pg_catalog.pg_attribute a
    WHERE a.attrelid = f.conrelid AND a.attnum = ANY (f.conkey)) AS columns
  FROM pg_catalog.pg_constraint f
  WHERE f.contype = 'f' AND f.confdeltype = 'c' AND f.confupdtype = 'c' AND f.conrelid = $1::regclass AND f.confrelid = $2::regclass`;

async function columnsOf(db: Queryable, table: TableName): Promise<ReadonlyMap<string, Column>> {
  const relation = await db.query<{ kind: string; partition: boolean }>(
    `SELECT c.relkind AS kind, c.relispartition AS partition FROM pg_catalog.pg_class c
     JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2`,
    [table.schema, table.name],
  );
  const [found] = relation.rows;
  if (found === undefined) throw new SyncError(`there is no table ${quoteTable(table)}`);
  if (!['r', 'p'].includes(found.kind))
    throw new SyncError(`${quoteTable(table)} is no table, so that it has no triggers`);
  if (found.partition) {
    throw new SyncError(`${quoteTable(table)} is a partition, whose changes come through its table: name that`);
  }
  const { rows } = await db.query<Column>(
    `SELECT a.attname AS name, pg_catalog.format_type(a.atttypid, a.atttypmod) AS type,
       (b.typtype = 'e' OR b.typnamespace = 'pg_catalog'::regnamespace) AS plain
     FROM pg_catalog.pg_attribute a
     JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
     JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
     JOIN pg_catalog.pg_type b ON b.oid = CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.oid END
     WHERE n.nspname = $1 AND c.relname = $2 AND a.attnum > 0 AND NOT a.attisdropped`,
    [table.schema, table.name],
  );
  return new Map(rows.map((column) => [column.name, column]));
}

function requireColumn(columns: ReadonlyMap<string, Column>, table: TableName, name: string): Column {
  const column = columns.get(name);
  if (column === undefined) {
    throw new SyncError(`${quoteTable(table)} has no column "${name}"; it has ${[...columns.keys()].join(', ')}`);
  }
  return column;
}

/** Key columns of indexes that are unique for every row and checked at once. */
const uniqueIndexes = `
  SELECT i.indisprimary AS primary, array_agg(a.attname::text ORDER BY k.place) AS columns, bool_and(a.attnotnull) AS filled
  FROM pg_catalog.pg_index i
  JOIN pg_catalog.pg_class c ON c.oid = i.indrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  CROSS JOIN LATERAL unnest(i.indkey[0:i.indnkeyatts - 1]) WITH ORDINALITY AS k(attnum, place)
  JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum
  WHERE n.nspname = $1 AND c.relname = $2 AND i.indisunique AND i.indpred IS NULL AND i.indexprs IS NULL
  GROUP BY i.indexrelid, i.indisprimary`;

interface UniqueIndex {
  readonly primary: boolean;
  readonly columns: readonly string[];
  readonly filled: boolean;
}

async function primaryKey(db: Queryable, table: TableName): Promise<readonly string[]> {
  const { rows } = await db.query<UniqueIndex>(uniqueIndexes, [table.schema, table.name]);
  const primary = rows.find((index) => index.primary);
  if (primary === undefined) {
    throw new SyncError(`${quoteTable(table)} has no primary key; name columns that are unique and not null with key`);
  }
  return primary.columns;
}

async function requireUnique(db: Queryable, table: TableName, key: readonly string[]): Promise<void> {
  const { rows } = await db.query<UniqueIndex>(uniqueIndexes, [table.schema, table.name]);
  const wanted = JSON.stringify([...key].sort());
  if (rows.some(({ columns, filled }) => filled && JSON.stringify([...columns].sort()) === wanted)) return;
  throw new SyncError(`key ${key.join(', ')} of ${quoteTable(table)} needs a unique index, and its columns NOT NULL`);
}

interface FoundType {
  readonly type: VectorType;
  readonly sql: string;
  readonly schema: string | undefined;
}

/** pgvector's type wherever its schema is: Supabase has it in `extensions`. */
async function findVectorType(db: Queryable, wanted: VectorType | undefined): Promise<FoundType> {
  if (wanted === 'real[]') return { type: wanted, sql: 'real[]', schema: undefined };
  const type = wanted ?? 'vector';
  const { rows } = await db.query<{ schema: string; sql: string }>(
    `SELECT n.nspname AS schema, pg_catalog.format_type(t.oid, NULL) AS sql
     FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
     WHERE t.typname = $1 AND t.typtype = 'b'
       AND EXISTS (SELECT FROM pg_catalog.pg_proc WHERE pronamespace = n.oid AND proname = 'vector_dims')`,
    [type],
  );
  const [found] = rows;
  if (found !== undefined) return { type, ...found };
  if (wanted === undefined) return { type: 'real[]', sql: 'real[]', schema: undefined };
  throw new SyncError(`the database has no type ${wanted}: CREATE EXTENSION vector, or set type to 'real[]'`);
}
