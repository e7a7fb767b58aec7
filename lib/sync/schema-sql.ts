/**
 * The SQL that `gteway sync init` prints or applies, and `remove` undoes. In the user's table: the columns for the vector,
 * for the hash of the text it was made of and for the model; triggers. Everything else lies in one schema, but for a table
 * of chunks, if there is one, which is the user's as the columns are.
 *
 * The triggers run once per statement, over the rows it changed: a row whose hash is not that of its text is put into the
 * queue, where it stands once; a failure ends with the text that it was about, also where that
 * went back to what the vector was made of: whether its model is the wanted one, a worker sees. Nobody needs rights on the queue to change the table: the functions run as their owner.
 */
import type { KeyColumn, Target } from './catalog.js';
import { type ChunkNames, chunkNames, installChunksSql } from './chunks-sql.js';
import { contentSql, hashSql } from './content.js';
import { quoteName, quoteTable, quoteText } from './identifiers.js';

/** Of the tables below: a worker of another one must not touch them. */
export const protocol = 1;

/** 0: a row that was just changed. 1: backfill, which waits behind those. */
export const priorities = { change: 0, backfill: 1 } as const;

const keyName = (i: number): string => `key_${i + 1}`;

/** The names that the statements need. */
export interface SqlNames {
  readonly table: string;
  readonly queue: string;
  readonly registry: string;
  readonly workers: string;
  readonly vector: string;
  readonly hash: string;
  readonly model: string;
  /** Where vectors are in a table of chunks, and not in the column. */
  readonly chunks: ChunkNames | undefined;
  readonly keyColumns: string;
  /** `t.id = q.key_1 AND …` */
  sameKey(row: string, job: string): string;
}

export function sqlNames(target: Pick<Target, 'config' | 'table' | 'chunks' | 'key'>): SqlNames {
  const { config, table, key } = target;
  const own = (name: string): string => quoteTable({ schema: config.schema, name });
  return {
    table: quoteTable(table),
    queue: own(`${config.name}_queue`),
    registry: own('sync'),
    workers: own('worker'),
    vector: quoteName(config.vector),
    hash: quoteName(`${config.vector}_hash`),
    model: quoteName(`${config.vector}_model`),
    chunks: chunkNames(target),
    keyColumns: key.map((_, i) => keyName(i)).join(', '),
    sameKey: (row, job) => key.map(({ name }, i) => `${row}.${quoteName(name)} = ${job}.${keyName(i)}`).join(' AND '),
  };
}

/** Whether the row `r` has the vector, or vectors, of the text that `c` has content and hash of; an empty text has none. */
export function madeOf({ hash, vector, chunks }: SqlNames, r: string, c: string): string {
  if (chunks !== undefined) {
    return `${r}.${hash} IS NOT DISTINCT FROM ${c}.hash AND ${r}.${chunks.count} IS NOT DISTINCT FROM ${chunks.counted(r)}`;
  }
  return `${r}.${hash} IS NOT DISTINCT FROM ${c}.hash AND (${r}.${vector} IS NOT NULL OR ${c}.content = '')`;
}

/** Whether that vector is of the wanted model, too: `s` is the registry's row. */
export function isCurrent(names: SqlNames, r: string, c: string, s: string): string {
  return `${madeOf(names, r, c)} AND ${r}.${names.model} IS NOT DISTINCT FROM ${s}.version`;
}

/** A row's text and its hash, as `alias`, for the rows of `r`. */
export function contentOf({ config }: Pick<Target, 'config'>, r: string, alias: string): string {
  return `LATERAL (SELECT p.content, ${hashSql('p.content')} AS hash FROM (SELECT ${contentSql(config, r)} AS content) p) ${alias}`;
}

/** Quotes a function's body by a tag that it does not hold. */
function body(sql: string): string {
  let tag = '$gteway$';
  while (sql.includes(tag)) tag = tag.replace(/\$$/, 'x$');
  return `${tag}\n${sql}\n${tag}`;
}

const keyOf = (alias: string, key: readonly KeyColumn[]): string =>
  key.map(({ name }) => `${alias}.${quoteName(name)}`).join(', ');

/**
 * Puts the rows of `source` (an alias `r` of the table's columns) for which `where` holds into the queue; `c` is their text
 * and hash, `s` the registry's row. A job that is
 * there already is made new if its text is another one, or another model is wanted: it loses its worker, and a failure is
 * forgotten.
 */
export function enqueueSql(
  target: Target,
  source: string,
  priority: number,
  {
    where,
    conflict = 'queue.hash IS DISTINCT FROM excluded.hash OR queue.version IS DISTINCT FROM excluded.version',
  }: { where: string; conflict?: string },
): string {
  const { config, key } = target;
  const names = sqlNames(target);
  return `INSERT INTO ${names.queue} AS queue (${names.keyColumns}, hash, bytes, version, priority, due, queued_at)
  SELECT ${keyOf('r', key)}, c.hash, octet_length(c.content), s.version, ${priority}, clock_timestamp(), clock_timestamp()
  FROM ${source}
  CROSS JOIN ${contentOf(target, 'r', 'c')}
  JOIN ${names.registry} s ON s.name = ${quoteText(config.name)}
  WHERE ${where}
  ORDER BY ${keyOf('r', key)}
  ON CONFLICT (${names.keyColumns}) DO UPDATE SET
    hash = excluded.hash, bytes = excluded.bytes, version = excluded.version, attempts = 0,
    priority = LEAST(queue.priority, excluded.priority), due = excluded.due, queued_at = excluded.queued_at,
    token = NULL, failed_at = NULL, reason = NULL
  WHERE ${conflict}`;
}

/** Statements, each complete. They may be applied again: what is there stays, what changed is replaced. */
export function installSql(target: Target): readonly string[] {
  const { config, key, vectorType, vectorSchema, dimensions } = target;
  const names = sqlNames(target);
  const own = (name: string): string => quoteTable({ schema: config.schema, name: `${config.name}_${name}` });
  const trigger = (event: string): string => quoteName(`gteway_sync_${config.name}_${event}`);
  const columnType = vectorSchema === undefined ? vectorType : `${vectorType}(${dimensions})`;
  const stored = JSON.stringify({ ...target, config });
  // A row of another model that came to a new key: its job stands under the old one. Otherwise a backfill asks for it.
  const moved = `r.${names.model} IS DISTINCT FROM s.version AND NOT EXISTS (SELECT FROM before b
    WHERE ${key.map(({ name }) => `b.${quoteName(name)} = r.${quoteName(name)}`).join(' AND ')}
      AND b.${names.model} IS NOT DISTINCT FROM r.${names.model} AND b.${names.hash} IS NOT DISTINCT FROM r.${names.hash})`;
  const asOwner = `LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  SET datestyle = 'ISO, MDY' SET timezone = 'UTC' SET intervalstyle = 'postgres' SET extra_float_digits = 1 SET bytea_output = 'hex'`;
  return [
    `CREATE SCHEMA IF NOT EXISTS ${quoteName(config.schema)}`,
    `CREATE TABLE IF NOT EXISTS ${names.registry} (
  name text PRIMARY KEY,
  protocol int NOT NULL,
  target jsonb NOT NULL,
  version text NOT NULL,
  backfill_after text[]
)`,
    `CREATE TABLE IF NOT EXISTS ${names.workers} (
  id uuid PRIMARY KEY,
  sync text NOT NULL,
  host text NOT NULL,
  started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  seen_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  rows_done bigint NOT NULL DEFAULT 0,
  rows_per_second real NOT NULL DEFAULT 0
)`,
    `ALTER TABLE ${names.table}
  ADD COLUMN IF NOT EXISTS ${names.chunks === undefined ? `${names.vector} ${columnType}` : `${names.chunks.count} bigint`},
  ADD COLUMN IF NOT EXISTS ${names.hash} bytea,
  ADD COLUMN IF NOT EXISTS ${names.model} text`,
    ...installChunksSql(target, names.table, columnType),
    `CREATE TABLE IF NOT EXISTS ${names.queue} (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  ${key.map(({ type }, i) => `${keyName(i)} ${type} NOT NULL`).join(',\n  ')},
  hash bytea NOT NULL,
  bytes int NOT NULL,
  version text NOT NULL,
  priority smallint NOT NULL,
  due timestamptz NOT NULL,
  queued_at timestamptz NOT NULL,
  attempts int NOT NULL DEFAULT 0,
  token uuid,
  failed_at timestamptz,
  reason text,
  UNIQUE (${names.keyColumns})
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0)`,
    `CREATE INDEX IF NOT EXISTS ${quoteName(`${config.name}_queue_due`)} ON ${names.queue} (priority, due) WHERE failed_at IS NULL`,
    `CREATE INDEX IF NOT EXISTS ${quoteName(`${config.name}_queue_failed`)} ON ${names.queue} (${names.keyColumns}) WHERE failed_at IS NOT NULL`,
    `INSERT INTO ${names.registry} (name, protocol, target, version)
VALUES (${quoteText(config.name)}, ${protocol}, ${quoteText(stored)}, ${quoteText(config.modelVersion)})
ON CONFLICT (name) DO UPDATE SET protocol = excluded.protocol, target = excluded.target, version = excluded.version, backfill_after = NULL`,
    `CREATE OR REPLACE FUNCTION ${own('inserted')}() RETURNS trigger ${asOwner} AS ${body(`BEGIN
  ${enqueueSql(target, 'changed r', priorities.change, { where: `NOT (${isCurrent(names, 'r', 'c', 's')})` })};
  RETURN NULL;
END`)}`,
    `CREATE OR REPLACE FUNCTION ${own('updated')}() RETURNS trigger ${asOwner} AS ${body(`BEGIN
  ${enqueueSql(target, 'changed r', priorities.change, { where: `NOT (${madeOf(names, 'r', 'c')}) OR ${moved}` })};
  UPDATE ${names.queue} q SET failed_at = NULL, reason = NULL, hash = c.hash, attempts = 0, due = clock_timestamp()
  FROM changed r CROSS JOIN ${contentOf(target, 'r', 'c')}
  WHERE q.failed_at IS NOT NULL AND ${names.sameKey('r', 'q')} AND ${madeOf(names, 'r', 'c')};
  RETURN NULL;
END`)}`,
    `CREATE OR REPLACE FUNCTION ${own('deleted')}() RETURNS trigger ${asOwner} AS ${body(`BEGIN
  DELETE FROM ${names.queue} q USING gone
  WHERE ${names.sameKey('gone', 'q')} AND NOT EXISTS (SELECT FROM ${names.table} t WHERE ${names.sameKey('t', 'q')});
  RETURN NULL;
END`)}`,
    `CREATE OR REPLACE FUNCTION ${own('emptied')}() RETURNS trigger ${asOwner} AS ${body(`BEGIN
  DELETE FROM ${names.queue};
  RETURN NULL;
END`)}`,
    ...triggers.flatMap(({ event, clause, call }) => [
      `DROP TRIGGER IF EXISTS ${trigger(event)} ON ${names.table}`,
      `CREATE TRIGGER ${trigger(event)} AFTER ${clause.replace('{table}', names.table)}
FOR EACH STATEMENT EXECUTE FUNCTION ${own(call)}()`,
    ]),
    ...indexSql(target, names),
  ];
}

const triggers = [
  { event: 'insert', clause: 'INSERT ON {table} REFERENCING NEW TABLE AS changed', call: 'inserted' },
  {
    event: 'update',
    clause: 'UPDATE ON {table} REFERENCING OLD TABLE AS before NEW TABLE AS changed',
    call: 'updated',
  },
  { event: 'delete', clause: 'DELETE ON {table} REFERENCING OLD TABLE AS gone', call: 'deleted' },
  { event: 'truncate', clause: 'TRUNCATE ON {table}', call: 'emptied' },
] as const;

function indexSql({ config, vectorType, vectorSchema, table, chunks }: Target, names: SqlNames): string[] {
  if (vectorSchema === undefined || config.index === 'none') return [];
  const classes = `${quoteName(vectorSchema)}.${vectorType.endsWith('halfvec') ? 'halfvec' : 'vector'}_cosine_ops`;
  const name = quoteName(`gteway_sync_${config.name}_hnsw`);
  return [
    `DO ${body(`BEGIN
  IF to_regclass(${quoteText(`${quoteName((chunks ?? table).schema)}.${name}`)}) IS NULL THEN
    CREATE INDEX ${name} ON ${names.chunks?.table ?? names.table} USING hnsw (${names.vector} ${classes});
  END IF;
END`)}`,
  ];
}

/**
 * Takes everything away that `installSql` made. The columns, and chunks, hold what was computed: they go only with `dropColumns`. The
 * schema goes with its last synchronisation.
 */
export function removeSql(target: Target, { dropColumns = false } = {}): readonly string[] {
  const { config } = target;
  const names = sqlNames(target);
  const schema = quoteName(config.schema);
  const columns = [names.chunks?.count ?? names.vector, names.hash, names.model].map(
    (column) => `DROP COLUMN IF EXISTS ${column}`,
  );
  return [
    ...triggers.map(
      ({ event }) => `DROP TRIGGER IF EXISTS ${quoteName(`gteway_sync_${config.name}_${event}`)} ON ${names.table}`,
    ),
    ...['inserted', 'updated', 'deleted', 'emptied'].map(
      (name) => `DROP FUNCTION IF EXISTS ${schema}.${quoteName(`${config.name}_${name}`)}()`,
    ),
    `DROP TABLE IF EXISTS ${names.queue}`,
    ...(dropColumns && names.chunks !== undefined ? [`DROP TABLE IF EXISTS ${names.chunks.table}`] : []),
    ...(dropColumns ? [`ALTER TABLE ${names.table} ${columns.join(', ')}`] : []),
    `DELETE FROM ${names.registry} WHERE name = ${quoteText(config.name)}`,
    `DELETE FROM ${names.workers} WHERE sync = ${quoteText(config.name)}`,
    `DO ${body(`BEGIN
  IF NOT EXISTS (SELECT FROM ${names.registry}) THEN
    DROP TABLE ${names.registry}, ${names.workers};
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_class WHERE relnamespace = ${quoteText(schema)}::regnamespace) THEN
      DROP SCHEMA ${schema};
    END IF;
  END IF;
END`)}`,
  ];
}
