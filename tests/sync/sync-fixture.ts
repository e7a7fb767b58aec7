/** A table that is kept in step, in a database of its own, and what tests ask about it. */
import { isDeepStrictEqual } from 'node:util';
import pg from 'pg';
import { afterAll, afterEach, beforeAll } from 'vitest';
import { findTarget, type Target } from '../../lib/sync/catalog.js';
import { readSyncConfig, type SyncOptions } from '../../lib/sync/config.js';
import { openPool, type Pool } from '../../lib/sync/connection.js';
import { backfill } from '../../lib/sync/backfill.js';
import { installSql } from '../../lib/sync/schema-sql.js';
import { SyncWorker, type WorkerEvents, type WorkerOptions } from '../../lib/sync/worker.js';
import { Session } from '../../lib/index.js';
import { Cluster, clusterPatience } from './postgres.js';

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

/** Arguments of `createTable`, without the cluster. */
export type TableOptions = Parameters<typeof createTable> extends [unknown, ...infer Rest] ? Rest : never;

/** A cluster for the tests of the block that calls this. The tables that they make in it go after each test. */
export function useCluster(): {
  readonly cluster: Cluster;
  readonly createTable: (...options: TableOptions) => Promise<TestTable>;
} {
  let cluster: Cluster | undefined;
  const started = (): Cluster => {
    if (cluster === undefined) throw new Error('the cluster starts before the first test');
    return cluster;
  };
  const tables: TestTable[] = [];
  beforeAll(async () => {
    cluster = await Cluster.start();
  }, clusterPatience);
  afterEach(async () => {
    for (const table of tables.splice(0)) await table.close();
  });
  afterAll(async () => {
    await closeSharedSession();
    await cluster?.close();
  });
  return {
    get cluster() {
      return started();
    },
    createTable: async (...options) => {
      const table = await createTable(started(), ...options);
      tables.push(table);
      return table;
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

/** Small enough that a line of text has several. */
export const chunked = {
  chunks: { table: 'public.document_chunks', size: 8, overlap: 2, text: true },
} satisfies SyncOptions;

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

interface MarkedRow {
  readonly id: string;
  readonly content: string;
  readonly hashed: boolean;
  readonly model: string;
}

function expectMarks({ target }: TestTable, { id, hashed, model: mark }: MarkedRow): void {
  if (!hashed) throw new Error(`row ${id}: the hash is not that of its text`);
  if (mark !== target.config.modelVersion) throw new Error(`row ${id} is marked with ${mark}`);
}

function isSameVector(text: string, wanted: Float32Array, tolerance: number): boolean {
  const stored = Float32Array.from(text.slice(1, -1).split(','), Number);
  return (
    stored.length === wanted.length && stored.every((value, j) => Math.abs(value - (wanted[j] ?? NaN)) <= tolerance)
  );
}

interface ChunkRow {
  readonly chunk: number;
  readonly chunk_start: number;
  readonly chunk_end: number;
  readonly tokens: number;
  readonly content: string;
  readonly vector: string;
}

/** As `expectInStep`, of a table of chunks that keeps their texts: as many as there should be, and no other. */
async function expectChunksInStep(table: TestTable, text: string, tolerance: number): Promise<number> {
  const { chunks: options } = table.target.config;
  const rows = await table.run<MarkedRow & { counted: number; chunks: readonly ChunkRow[] }>(
    `SELECT id::text, ${text} AS content, embedding_model AS model, embedding_chunks::int AS counted,
       embedding_hash = sha256(convert_to(${text}, 'UTF8')) AS hashed,
       coalesce((SELECT json_agg(json_build_object('chunk', k.chunk, 'chunk_start', k.chunk_start, 'chunk_end', k.chunk_end,
         'tokens', k.tokens, 'content', k.content, 'vector', k.embedding::real[]::text) ORDER BY k.chunk)
         FROM document_chunks k WHERE k.id = documents.id), '[]') AS chunks FROM documents ORDER BY id`,
  );
  const [all] = await table.run<{ orphans: number }>(
    'SELECT count(*)::int AS orphans FROM document_chunks WHERE id NOT IN (SELECT id FROM documents)',
  );
  if (all?.orphans !== 0) throw new Error(`${all?.orphans} chunks have no row`);
  const { chunks: wanted, embeddings } = await (
    await sharedSession()
  ).embedDocument(
    rows.map(({ content }) => content),
    { maxTokens: options?.size ?? NaN, overlap: options?.overlap ?? NaN, by: options?.by ?? 'paragraph' },
  );
  const expectedChunks = wanted.map((chunk, at) => ({ ...chunk, vector: embeddings.at(at) }));
  for (const [i, row] of rows.entries()) {
    expectMarks(table, row);
    const expected = expectedChunks.filter(({ document }) => document === i);
    if (row.chunks.length !== expected.length || row.counted !== expected.length)
      throw new Error(`row ${row.id} has ${row.chunks.length} chunks, marked ${row.counted}, not ${expected.length}`);
    for (const [place, { start, end, tokens, text: content, vector: expectedVector }] of expected.entries()) {
      const { vector, ...stored } = row.chunks[place] ?? { vector: '' };
      const same = { chunk: place, chunk_start: start, chunk_end: end, tokens, content };
      if (!isDeepStrictEqual(stored, same)) throw new Error(`row ${row.id}: ${JSON.stringify([stored, same])}`);
      if (row.content.slice(start, end) !== content) throw new Error(`row ${row.id}: chunk ${place} is elsewhere`);
      if (!isSameVector(vector, expectedVector, tolerance))
        throw new Error(`row ${row.id}, chunk ${place} has the vector of another text than '${content}'`);
    }
  }
  return rows.length;
}

/** Fails unless every row has the vector of its own text, each value within `tolerance` of what the session makes of it. */
export async function expectInStep(
  table: TestTable,
  text = "concat_ws(E'\\n', title, body)",
  tolerance = 1e-6,
): Promise<number> {
  if (table.target.chunks !== undefined) return expectChunksInStep(table, text, tolerance);
  const rows = await table.run<MarkedRow & { vector: string | null }>(
    `SELECT id::text, ${text} AS content, embedding::real[]::text AS vector, embedding_model AS model,
       embedding_hash = sha256(convert_to(${text}, 'UTF8')) AS hashed FROM documents ORDER BY id`,
  );
  const expected = await (await sharedSession()).embed(rows.map(({ content }) => content));
  for (const [i, row] of rows.entries()) {
    const { id, content, vector } = row;
    expectMarks(table, row);
    if (content === '') {
      if (vector !== null) throw new Error(`row ${id} has no text, but a vector`);
      continue;
    }
    if (vector === null) throw new Error(`row ${id} has no vector`);
    if (!isSameVector(vector, expected.at(i), tolerance))
      throw new Error(`row ${id} has the vector of another text than '${content}'`);
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
