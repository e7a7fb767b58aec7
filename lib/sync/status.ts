/** How far it is: what waits, runs and failed, and how long that will take. */
import type { Queryable, Target } from './catalog.js';
import { sqlNames } from './schema-sql.js';

export interface SyncStatus {
  readonly name: string;
  readonly table: string;
  /** Where vectors are chunks'. */
  readonly chunks: string | undefined;
  readonly version: string;
  readonly pending: number;
  readonly running: number;
  readonly failed: number;
  /** Seconds that the oldest job has been due; 0 without any. */
  readonly oldest: number;
  readonly workers: number;
  /** Rows per second, of all workers together. */
  readonly rate: number;
  /** Seconds; undefined where nobody works. */
  readonly timeLeft: number | undefined;
  /** The key that a backfill has come to, if one is under way or was interrupted. */
  readonly backfillAfter: readonly string[] | undefined;
}

/** How long the oldest job has been due, from the index alone: what an autoscaler may ask every few seconds. */
export function ageSql(target: Target): string {
  const { queue } = sqlNames(target);
  const oldest = (priority: number): string =>
    `(SELECT due FROM ${queue} WHERE failed_at IS NULL AND priority = ${priority} AND due <= now() ORDER BY due LIMIT 1)`;
  return `SELECT coalesce(extract(epoch FROM now() - least(${oldest(0)}, ${oldest(1)})), 0)::float8 AS age`;
}

export async function readStatus(db: Queryable, target: Target): Promise<SyncStatus> {
  const names = sqlNames(target);
  const { name } = target.config;
  const counts = await db.query<{ pending: number; running: number; failed: number }>(
    `SELECT count(*) FILTER (WHERE failed_at IS NULL AND NOT (token IS NOT NULL AND due > now()))::float8 AS pending,
       count(*) FILTER (WHERE token IS NOT NULL AND due > now())::float8 AS running,
       count(*) FILTER (WHERE failed_at IS NOT NULL)::float8 AS failed FROM ${names.queue}`,
  );
  const age = await db.query<{ age: number }>(ageSql(target));
  // Workers tell of themselves every five seconds; one that has not for thirty is gone.
  const workers = await db.query<{ workers: number; rate: number }>(
    `SELECT count(*)::int AS workers, coalesce(sum(rows_per_second), 0)::float8 AS rate FROM ${names.workers}
     WHERE sync = $1 AND seen_at > clock_timestamp() - interval '30 seconds'`,
    [name],
  );
  const registry = await db.query<{ version: string; after: string[] | null }>(
    `SELECT version, backfill_after AS after FROM ${names.registry} WHERE name = $1`,
    [name],
  );
  const { pending = 0, running = 0, failed = 0 } = counts.rows[0] ?? {};
  const rate = workers.rows[0]?.rate ?? 0;
  return {
    name,
    table: names.table,
    chunks: names.chunks?.table,
    version: registry.rows[0]?.version ?? target.config.modelVersion,
    pending,
    running,
    failed,
    oldest: age.rows[0]?.age ?? 0,
    workers: workers.rows[0]?.workers ?? 0,
    rate,
    timeLeft: pending + running === 0 ? 0 : rate > 0 ? (pending + running) / rate : undefined,
    backfillAfter: registry.rows[0]?.after ?? undefined,
  };
}

export interface FailedRow {
  readonly key: readonly string[];
  readonly reason: string;
}

/** The failed rows, newest first. */
export async function readFailures(db: Queryable, target: Target, most: number): Promise<readonly FailedRow[]> {
  const { queue } = sqlNames(target);
  const key = target.key.map((_, i) => `key_${i + 1}::text`).join(', ');
  const { rows } = await db.query<FailedRow>(
    `SELECT ARRAY[${key}] AS key, reason FROM ${queue} WHERE failed_at IS NOT NULL ORDER BY failed_at DESC LIMIT $1`,
    [most],
  );
  return rows;
}
