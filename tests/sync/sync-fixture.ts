/** A table that is kept in step, in a database of its own, and what tests ask about it. */
import pg from 'pg';
import { findTarget, type Target } from '../../lib/sync/catalog.js';
import { readSyncConfig, type SyncOptions } from '../../lib/sync/config.js';
import { openPool, type Pool } from '../../lib/sync/connection.js';
import { backfill } from '../../lib/sync/backfill.js';
import { installSql } from '../../lib/sync/schema-sql.js';
import { SyncWorker, type WorkerEvents, type WorkerOptions } from '../../lib/sync/worker.js';
import { Session } from '../../lib/index.js';
import type { Cluster } from './postgres.js';

export const model = 'gteway-mini';

export const workerOptions: WorkerOptions = { tokens: 2000, lanes: 2, lease: 30, poll: 0.05, once: true };

export interface TestTable {
  readonly database: string;
  readonly url: string;
  readonly pool: Pool;
  readonly target: Target;
  /** Runs a statement as a user of the table would. */
  run: <Row extends object>(sql: string, values?: unknown[]) => Promise<Row[]>;
  close(): Promise<void>;
}

const documents = `CREATE TABLE documents (id bigint PRIMARY KEY, title text, body text, views int NOT NULL DEFAULT 0)`;

export async function createTable(
  cluster: Cluster,
  options: SyncOptions = {},
  { create = documents, vector = false }: { create?: string; vector?: boolean } = {},
): Promise<TestTable> {
  const database = await cluster.createDatabase({ vector });
  const user = new pg.Pool(cluster.connection(database));
  user.on('error', () => undefined);
  await user.query(create);
  const pool = await openPool({ url: cluster.url(database) }, 6);
  const target = await install(pool, options);
  return {
    database,
    url: cluster.url(database),
    pool,
    target,
    run: async <Row extends object>(sql: string, values?: unknown[]) => (await user.query<Row>(sql, values)).rows,
    async close() {
      await user.end();
      await pool.end();
    },
  };
}

/** `init --apply`, also for another time. */
export async function install(pool: Pool, options: SyncOptions): Promise<Target> {
  const given = options.template === undefined ? { text: ['title', 'body'] } : {};
  const config = readSyncConfig('test', { table: 'public.documents', model, ...given, ...options });
  const target = await findTarget(pool, config, config.dimensions ?? (await dimensionsOfModel()));
  for (const statement of installSql(target)) await pool.query(statement);
  return target;
}

let session: Promise<Session<typeof model>> | undefined;

/** One session for all workers of a file: what they share in one process, hosts do not, but it is no part of the queue. */
export function sharedSession(): Promise<Session<typeof model>> {
  session ??= Session.load(model, { threads: 1 });
  return session;
}

export async function closeSharedSession(): Promise<void> {
  await (await session)?.close();
  session = undefined;
}

async function dimensionsOfModel(): Promise<number> {
  return (await sharedSession()).info.dimensions;
}

export async function startWorker(
  table: Pick<TestTable, 'pool' | 'target'>,
  options: Partial<WorkerOptions> = {},
  events: WorkerEvents = {},
): Promise<SyncWorker> {
  return new SyncWorker(table.pool, table.target, await sharedSession(), { ...workerOptions, ...options }, events);
}

/** Works until nothing is due. */
export async function drain(
  table: Pick<TestTable, 'pool' | 'target'>,
  options: Partial<WorkerOptions> = {},
  events: WorkerEvents = {},
): Promise<void> {
  await (await startWorker(table, options, events)).run();
}

export async function runBackfill(
  table: Pick<TestTable, 'pool' | 'target'>,
  page = 100,
  failed = false,
): Promise<number> {
  let queued = 0;
  for await (const now of backfill(table.pool, table.target, { page, restart: false, failed })) queued = now.queued;
  return queued;
}

export interface QueueRow {
  readonly key_1: string;
  readonly attempts: number;
  readonly failed: boolean;
  readonly reason: string | null;
  readonly priority: number;
}

export function queueOf({ run }: TestTable): Promise<QueueRow[]> {
  return run<QueueRow>(
    'SELECT key_1::text, attempts, failed_at IS NOT NULL AS failed, reason, priority FROM gteway_sync.documents_queue ORDER BY key_1',
  );
}

/** Fails unless every row has the vector of its own text, each value within `tolerance` of what the session makes of it. */
export async function expectInStep(
  table: TestTable,
  text = "concat_ws(E'\\n', title, body)",
  tolerance = 1e-6,
): Promise<number> {
  const rows = await table.run<{ id: string; content: string; vector: string | null; hashed: boolean; model: string }>(
    `SELECT id::text, ${text} AS content, embedding::real[]::text AS vector, embedding_model AS model,
       embedding_hash = sha256(convert_to(${text}, 'UTF8')) AS hashed FROM documents ORDER BY id`,
  );
  const expected = await (await sharedSession()).embed(rows.map(({ content }) => content));
  for (const [i, { id, content, vector, hashed, model: mark }] of rows.entries()) {
    if (!hashed) throw new Error(`row ${id}: the hash is not that of its text`);
    if (mark !== table.target.config.modelVersion) throw new Error(`row ${id} is marked with ${mark}`);
    if (content === '') {
      if (vector !== null) throw new Error(`row ${id} has no text, but a vector`);
      continue;
    }
    if (vector === null) throw new Error(`row ${id} has no vector`);
    const stored = Float32Array.from(vector.slice(1, -1).split(','), Number);
    const wanted = expected.at(i);
    if (
      stored.length !== wanted.length ||
      stored.some((value, j) => !(Math.abs(value - (wanted[j] ?? NaN)) <= tolerance))
    ) {
      throw new Error(`row ${id} has the vector of another text than '${content}'`);
    }
  }
  return rows.length;
}

export async function untilTrue(what: string, check: () => boolean | Promise<boolean>): Promise<void> {
  const until = performance.now() + 280_000;
  while (!(await check())) {
    if (performance.now() > until) throw new Error(`waited nearly five minutes for: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
