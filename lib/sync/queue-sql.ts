/**
 * The statements of a worker. A job is leased by writing a token and a later `due`; whoever finds it due again may take
 * it, and the old token is then worth nothing. All clocks are the database's.
 *
 * Who changes a row of the table locks it first and its job second, by the trigger. A worker locks its jobs first and then
 * the rows, but waits for neither: what is locked is left for later. So no transaction of a user is ever held up for longer
 * than a statement, and none is given up for a worker's sake.
 */
import type { Target } from './catalog.js';
import { type WriteChunksSql, writeChunksSql } from './chunks-sql.js';
import { contentOf, isCurrent, priorities, sqlNames } from './schema-sql.js';

export interface QueueSql {
  readonly claim: string;
  readonly read: string;
  readonly extend: string;
  readonly held: string;
  readonly hold: string;
  readonly lockRows: string;
  /** Where vectors are chunks': for these, before `write`. */
  readonly chunks: WriteChunksSql | undefined;
  readonly write: string;
  readonly settle: string;
  readonly end: string;
  readonly fail: string;
  readonly release: string;
}

export function queueSql(target: Target, attemptsInCompany: number): QueueSql {
  const { vectorType } = target;
  const names = sqlNames(target);
  const { queue, table, registry } = names;
  const due = (priority: number): string => `SELECT id, attempts, bytes, priority, due FROM ${queue}
    WHERE failed_at IS NULL AND priority = ${priority} AND due <= now()
    ORDER BY due LIMIT $2 FOR UPDATE SKIP LOCKED`;
  const current = isCurrent(names, 't', 'c', 's');
  return {
    // $1 token, $2 rows, $3 bytes, $4 seconds of the lease, $5 the sync's name, $6 the worker's version
    claim: `WITH urgent AS MATERIALIZED (${due(priorities.change)}), rest AS MATERIALIZED (${due(priorities.backfill)}),
  candidate AS (SELECT * FROM urgent UNION ALL SELECT * FROM rest),
  counted AS (
    SELECT id, row_number() OVER w AS place, sum(bytes) OVER w AS bytes, attempts, first_value(attempts) OVER w AS before
    FROM candidate WINDOW w AS (ORDER BY priority, due, id)),
  taken AS (
    SELECT id FROM counted
    WHERE place = 1 OR place <= $2 AND bytes <= $3 AND attempts < ${attemptsInCompany} AND before < ${attemptsInCompany})
UPDATE ${queue} q SET token = $1, due = now() + $4 * interval '1 second', attempts = q.attempts + 1, version = $6
FROM taken WHERE q.id = taken.id AND EXISTS (SELECT FROM ${registry} WHERE name = $5 AND version = $6)
RETURNING q.id::text, q.attempts`,
    // $1 ids, $2 token, $3 the sync's name
    read: `SELECT q.id::text, t.ctid IS NOT NULL AS present, c.content AS text, encode(c.hash, 'hex') AS hash, ${current} AS current
FROM ${queue} q JOIN ${registry} s ON s.name = $3
LEFT JOIN (${table} t CROSS JOIN ${contentOf(target, 't', 'c')}) ON ${names.sameKey('t', 'q')}
WHERE q.id = ANY ($1::bigint[]) AND q.token = $2`,
    extend: `UPDATE ${queue} SET due = now() + $3 * interval '1 second' WHERE id = ANY ($1::bigint[]) AND token = $2`,
    held: `SELECT id::text FROM ${queue} WHERE id = ANY ($1::bigint[]) AND token = $2`,
    // Which of those can be locked. One that is locked belongs to a transaction that changes its row.
    hold: `SELECT id::text FROM ${queue} WHERE id = ANY ($1::bigint[]) AND token = $2 ORDER BY id FOR UPDATE SKIP LOCKED`,
    // The guard: rows whose text is still what a vector or failure is about, and which need one. Locked, so that it stays so.
    lockRows: `SELECT q.id::text FROM unnest($1::bigint[], $2::text[]) v (id, hash)
JOIN ${queue} q ON q.id = v.id JOIN ${registry} s ON s.name = $3
JOIN ${table} t ON ${names.sameKey('t', 'q')} CROSS JOIN ${contentOf(target, 't', 'c')}
WHERE c.hash = decode(v.hash, 'hex') AND NOT (${current}) FOR NO KEY UPDATE OF t SKIP LOCKED`,
    chunks: writeChunksSql(target, queue, (row, job) => names.sameKey(row, job)),
    // $1 ids, $2 hashes, $3 vectors, or numbers of chunks, as text, $4 version
    write: `UPDATE ${table} t SET ${names.chunks === undefined ? `${names.vector} = v.made::${vectorType}` : `${names.chunks.count} = v.made::bigint`}, ${names.hash} = decode(v.hash, 'hex'), ${names.model} = $4
FROM unnest($1::bigint[], $2::text[], $3::text[]) v (id, hash, made) JOIN ${queue} q ON q.id = v.id
WHERE ${names.sameKey('t', 'q')}`,
    // Jobs without work, if that is still so: whoever changes the row from now on waits for the job, and makes a new one.
    settle: `DELETE FROM ${queue} q USING ${registry} s
WHERE q.id = ANY ($1::bigint[]) AND s.name = $2 AND NOT EXISTS (
  SELECT FROM ${table} t CROSS JOIN ${contentOf(target, 't', 'c')} WHERE ${names.sameKey('t', 'q')} AND NOT (${current}))
RETURNING q.id::text`,
    end: `DELETE FROM ${queue} WHERE id = ANY ($1::bigint[])`,
    // With the text's hash: the trigger leaves a failure alone for as long as its text stays.
    fail: `UPDATE ${queue} q SET failed_at = now(), hash = decode(v.hash, 'hex'), reason = v.reason, token = NULL
FROM unnest($1::bigint[], $2::text[], $3::text[]) v (id, hash, reason) WHERE q.id = v.id`,
    release: `UPDATE ${queue} q SET token = NULL, due = now() + v.delay * interval '1 second',
  attempts = q.attempts - v.undone, reason = v.reason
FROM unnest($1::bigint[], $2::float8[], $3::int[], $4::text[]) v (id, delay, undone, reason) WHERE q.id = v.id`,
  };
}
