/**
 * The table of chunks, where texts have a row for each part. A foreign key with cascades ties its rows to the row whose
 * text they are: they go and get another key with it, in the transaction that does that. How many there should be stands
 * in that row, beside the hash, so that a chunk that somebody takes away is missed.
 */
import type { Target } from './catalog.js';
import { chunkColumns, chunkCountColumn, chunkTextColumn } from './chunk-columns.js';
import { quoteName, quoteTable } from './identifiers.js';

/** What the statements that need chunks are made of; the names are quoted. */
export interface ChunkNames {
  readonly table: string;
  readonly count: string;
  /** How many there are of the row `r`. */
  counted(r: string): string;
}

export function chunkNames({ config, chunks, key }: Pick<Target, 'config' | 'chunks' | 'key'>): ChunkNames | undefined {
  if (chunks === undefined) return undefined;
  const table = quoteTable(chunks);
  return {
    table,
    count: quoteName(chunkCountColumn(config.vector)),
    counted: (r) =>
      `(SELECT count(*) FROM ${table} k WHERE ${key.map(({ name }) => `k.${quoteName(name)} = ${r}.${quoteName(name)}`).join(' AND ')})`,
  };
}

/** For `init`, where the table whose texts they are is `table`, and a vector's type `vectorType`. */
export function installChunksSql(target: Target, table: string, vectorType: string): readonly string[] {
  const names = chunkNames(target);
  if (names === undefined) return [];
  const { config, key } = target;
  const columns = key.map(({ name }) => quoteName(name)).join(', ');
  return [
    `CREATE TABLE IF NOT EXISTS ${names.table} (
  ${key.map(({ name, type }) => `${quoteName(name)} ${type} NOT NULL`).join(',\n  ')},
  ${chunkColumns.map(({ name, type }) => `${name} ${type} NOT NULL`).join(',\n  ')},
  ${quoteName(config.vector)} ${vectorType} NOT NULL,
  PRIMARY KEY (${columns}, chunk),
  FOREIGN KEY (${columns}) REFERENCES ${table} (${columns}) ON UPDATE CASCADE ON DELETE CASCADE
)`,
    ...(config.chunks?.text === true
      ? [`ALTER TABLE ${names.table} ADD COLUMN IF NOT EXISTS ${chunkTextColumn.name} ${chunkTextColumn.type}`]
      : []),
  ];
}

export interface WriteChunksSql {
  /** $1 ids of jobs: all chunks of their rows go. */
  readonly drop: string;
  /** $1 ids of jobs, and by places: $2 numbers, $3 starts, $4 ends, $5 tokens, $6 vectors as text, and with texts $7 those. */
  readonly add: string;
}

/** The rows behind the jobs in `queue` are locked; `sameKey` as in schema-sql.ts. */
export function writeChunksSql(
  target: Target,
  queue: string,
  sameKey: (row: string, job: string) => string,
): WriteChunksSql | undefined {
  const names = chunkNames(target);
  if (names === undefined) return undefined;
  const { config, key, vectorType } = target;
  const withText = config.chunks?.text === true;
  const into = [...key.map(({ name }) => quoteName(name)), ...chunkColumns.map(({ name }) => name)].join(', ');
  const text = { name: withText ? `, ${chunkTextColumn.name}` : '', value: withText ? ', v.content' : '' };
  return {
    drop: `DELETE FROM ${names.table} k USING ${queue} q WHERE q.id = ANY ($1::bigint[]) AND ${sameKey('k', 'q')}`,
    add: `INSERT INTO ${names.table} (${into}, ${quoteName(config.vector)}${text.name})
SELECT ${key.map((_, i) => `q.key_${i + 1}`).join(', ')}, v.chunk, v.chunk_start, v.chunk_end, v.tokens, v.vector::${vectorType}${text.value}
FROM unnest($1::bigint[], $2::int[], $3::int[], $4::int[], $5::int[], $6::text[]${withText ? ', $7::text[]' : ''})
  v (id, chunk, chunk_start, chunk_end, tokens, vector${text.name}) JOIN ${queue} q ON q.id = v.id`,
  };
}
