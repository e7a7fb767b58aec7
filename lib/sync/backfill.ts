/**
 * Queues the rows that have no current vector, in pages along the key. Where it is, is written down with each page, so
 * that it goes on there after an interruption; what changes meanwhile, the trigger queues.
 */
import type { Target } from './catalog.js';
import { inTransaction, isPassing, type Pool } from './connection.js';
import { quoteName } from './identifiers.js';
import { enqueueSql, isCurrent, priorities, sqlNames } from './schema-sql.js';

export interface BackfillOptions {
  /** Rows that are looked at in a transaction. */
  readonly page: number;
  /** From the first row, whatever an earlier one had come to. */
  readonly restart: boolean;
  /** Queue failed rows, too. */
  readonly failed: boolean;
}

export interface BackfillProgress {
  /** By the statistics of the table; a guess. */
  readonly total: number;
  readonly seen: number;
  readonly queued: number;
}

/** Another version is queued anew, whoever holds it; the same one stands there already. */
const otherVersion = 'queue.version IS DISTINCT FROM excluded.version';

export function backfillSql(target: Target, { after, failed }: { after: boolean; failed: boolean }): string {
  const { key } = target;
  const names = sqlNames(target);
  const columns = key.map(({ name }) => quoteName(name));
  const from = after
    ? `WHERE (${columns.join(', ')}) > (${key.map(({ type }, i) => `$${i + 2}::text::${type}`).join(', ')})`
    : '';
  const ordered = columns.join(', ');
  const enqueue = enqueueSql(target, 'page r', priorities.backfill, {
    where: `NOT (${isCurrent(names, 'r', 'c', 's')})`,
    conflict: failed ? `${otherVersion} OR queue.failed_at IS NOT NULL` : otherVersion,
  });
  return `WITH page AS MATERIALIZED (SELECT * FROM ${names.table} ${from} ORDER BY ${ordered} LIMIT $1),
queued AS (${enqueue} RETURNING 1),
last AS (SELECT ARRAY[${columns.map((column) => `${column}::text`).join(', ')}] AS key FROM page
  ORDER BY ${columns.map((column) => `${column} DESC`).join(', ')} LIMIT 1)
SELECT (SELECT count(*) FROM page)::int AS seen, (SELECT count(*) FROM queued)::int AS queued, (SELECT key FROM last) AS last`;
}

interface PageRow {
  readonly seen: number;
  readonly queued: number;
  readonly last: string[] | null;
}

export async function* backfill(
  pool: Pool,
  target: Target,
  { page, restart, failed }: BackfillOptions,
): AsyncGenerator<BackfillProgress, void, undefined> {
  const names = sqlNames(target);
  const { name } = target.config;
  const estimate = await pool.query<{ rows: number }>(
    'SELECT greatest(reltuples, 0)::float8 AS rows FROM pg_class WHERE oid = $1::regclass',
    [names.table],
  );
  const total = estimate.rows[0]?.rows ?? 0;
  if (restart) await pool.query(`UPDATE ${names.registry} SET backfill_after = NULL WHERE name = $1`, [name]);
  let seen = 0;
  let queued = 0;
  for (;;) {
    const done = await patiently(() =>
      inTransaction(pool, async (client) => {
        const place = await client.query<{ after: string[] | null }>(
          `SELECT backfill_after AS after FROM ${names.registry} WHERE name = $1`,
          [name],
        );
        const after = place.rows[0]?.after ?? undefined;
        const sql = backfillSql(target, { after: after !== undefined, failed });
        const { rows } = await client.query<PageRow>(sql, [page, ...(after ?? [])]);
        const result = rows[0] ?? { seen: 0, queued: 0, last: null };
        await client.query(`UPDATE ${names.registry} SET backfill_after = $2 WHERE name = $1`, [name, result.last]);
        return result;
      }),
    );
    if (done.seen === 0) return;
    seen += done.seen;
    queued += done.queued;
    yield { total: Math.max(total, seen), seen, queued };
  }
}

/** A page waits for nobody longer than the session's lock_timeout, and is tried again. */
async function patiently<Result>(work: () => Promise<Result>): Promise<Result> {
  for (let misses = 0; ; misses++) {
    try {
      return await work();
    } catch (error) {
      if (!isPassing(error) || misses === 60) throw error;
      await new Promise((resolve) => setTimeout(resolve, Math.min(2000, 50 * 2 ** misses) * (0.5 + Math.random())));
    }
  }
}
