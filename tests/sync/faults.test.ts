/**
 * What goes wrong, in a real PostgreSQL: workers that are killed, a database that restarts, connections that are cut, texts
 * that fail, rows that change under a worker's hands. After each, every row has the vector of its text, written once.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { GtewayError } from '../../lib/index.js';
import type { SyncOptions } from '../../lib/sync/config.js';
import { openPool } from '../../lib/sync/connection.js';
import { BatchSize, mostAttempts } from '../../lib/sync/decisions.js';
import { embeddingOf, type SyncSession } from '../../lib/sync/embedding.js';
import { type BatchReport, workOnBatch } from '../../lib/sync/lane.js';
import { PostgresStore } from '../../lib/sync/postgres-store.js';
import { readFailures, readStatus } from '../../lib/sync/status.js';
import { SyncWorker } from '../../lib/sync/worker.js';
import { Embeddings } from '../../lib/vectors/embeddings.js';
import { buildLibrary } from '../built-library.js';
import { cliEnvironment, main } from '../cli/run-cli.js';
import { findPostgres } from './postgres.js';
import {
  chunked,
  createTable,
  drain,
  expectInStep,
  install,
  queueOf,
  runBackfill,
  sharedSession,
  startWorker,
  type TestTable,
  untilTrue,
  useCluster,
  workerOptions,
} from './sync-fixture.js';

const postgres = findPostgres();
const missing = 'missing' in postgres ? postgres.missing : undefined;

const forms: [form: string, options: SyncOptions][] = [
  ['a column', {}],
  ['chunks', chunked],
];
const title = `faults, with %s${missing === undefined ? '' : ` (skipped: ${missing})`}`;

describe.skipIf(missing !== undefined).each(forms)(title, (form, formOptions) => {
  const inChunks = form === 'chunks';
  const database = useCluster();
  const create = async (options: Parameters<typeof createTable>[1] = {}): Promise<TestTable> => {
    const table = await database.createTable({ ...formOptions, ...options });
    // Every write of a vector leaves a line, whoever makes it.
    await table.run(`CREATE TABLE writes (id bigint, hash bytea, model text);
      CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN INSERT INTO public.writes VALUES (NEW.id, NEW.embedding_hash, NEW.embedding_model); RETURN NULL; END';
      CREATE TRIGGER note AFTER UPDATE OF embedding_hash ON documents FOR EACH ROW EXECUTE FUNCTION note()`);
    return table;
  };
  const fill = (table: TestTable, rows: number): Promise<object[]> =>
    table.run(
      "INSERT INTO documents SELECT i, 'title ' || i, 'a body about ' || i FROM generate_series(1, $1::int) i",
      [rows],
    );
  const expectEachOnce = async (table: TestTable): Promise<void> => {
    expect(await table.run('SELECT id, model FROM writes GROUP BY id, hash, model HAVING count(*) > 1')).toEqual([]);
  };
  const isDone = (table: TestTable) => async (): Promise<boolean> => (await queueOf(table)).length === 0;

  beforeAll(buildLibrary);

  /** A worker process; `early`: code that runs before it. */
  function spawnWorker(table: TestTable, args: readonly string[], early = ''): ReturnType<typeof spawn> {
    const node = early === '' ? [] : ['--import', `data:text/javascript,${encodeURIComponent(early)}`];
    const child = spawn(
      process.execPath,
      [...node, main, 'sync', 'work', '--database', table.url, '--threads', '1', ...args],
      { env: cliEnvironment(), stdio: ['ignore', 'ignore', 'pipe'] },
    );
    onTestFinished(() => void child.kill('SIGKILL'));
    return child;
  }

  test('a worker that is killed −9 in the middle of batches loses nothing, and nothing is written twice', async () => {
    const table = await create();
    await fill(table, 2000);
    const killed = spawnWorker(table, ['--batch', '4000', '--lease', '1']);
    const ended = once(killed, 'close');
    await untilTrue('jobs that are held', async () => {
      const [row] = await table.run<{ held: number }>(
        'SELECT count(token)::int AS held FROM gteway_sync.documents_queue',
      );
      return (row?.held ?? 0) > 0;
    });
    killed.kill('SIGKILL');
    await ended;
    const worker = await startWorker(table, { once: false });
    const run = worker.run();
    await untilTrue('the end of the queue', isDone(table));
    worker.stop();
    await run;
    expect(await expectInStep(table)).toBe(2000);
    await expectEachOnce(table);
  });

  test.each(['SIGINT', 'SIGQUIT'] as const)(
    'a database that is restarted (%s) meanwhile is waited for',
    async (signal) => {
      const table = await create();
      await fill(table, 1500);
      let [away, back, batches] = [0, 0, 0];
      const worker = await startWorker(
        table,
        { once: false, lease: 2, tokens: 500 },
        { away: () => away++, back: () => back++, batch: () => batches++ },
      );
      const run = worker.run();
      await untilTrue('a batch', () => batches > 0);
      await database.cluster.stopServer(signal);
      await untilTrue('somebody to notice', () => away > 0);
      await database.cluster.startServer();
      await untilTrue('the end of the queue', isDone(table));
      worker.stop();
      await run;
      expect(back).toBeGreaterThan(0);
      expect(await expectInStep(table)).toBe(1500);
      await expectEachOnce(table);
    },
  );

  // What is written is no part of these, and of the clocks below. The last: the server never hears of the commit, and the transaction's locks stay until it gives the connection up.
  if (!inChunks)
    test.each(['cut', 'silent', 'silent before a commit'] as const)(
      'connections that are %s are replaced',
      async (kind) => {
        const table = await create();
        await fill(table, 1500);
        const sockets = new Set<Socket>();
        // Between these nothing passes any more, not even that the other side is gone.
        const silent = new Set<Socket>();
        let hasCommitted = false;
        const proxy = createServer((socket) => {
          const server = connect(database.cluster.socket);
          for (const [from, to] of [
            [socket, server],
            [server, socket],
          ] as const) {
            sockets.add(from);
            const end = (): void => {
              if (!silent.has(from)) to.destroy();
            };
            from.on('error', end);
            from.on('close', end);
            from.on('data', (bytes) => {
              if (kind === 'silent before a commit' && from === socket && !hasCommitted && bytes.includes('COMMIT')) {
                hasCommitted = true;
                for (const open of sockets) silent.add(open);
              }
              if (!silent.has(from)) to.write(bytes);
            });
          }
        });
        proxy.listen(0, '127.0.0.1');
        await once(proxy, 'listening');
        const { port } = proxy.address() as AddressInfo;
        const url = `postgres://tests@127.0.0.1:${port}/${table.database}`;
        const pool = await openPool({ url, patience: 3000 }, 4);
        let batches = 0;
        const worker = await startWorker(
          { pool, target: table.target },
          { once: false, lease: 3, tokens: 500 },
          { batch: () => batches++ },
        );
        const run = worker.run();
        try {
          if (kind === 'silent before a commit') await untilTrue('a commit', () => hasCommitted);
          else await untilTrue('a batch', () => batches > 0);
          if (kind === 'cut') for (const socket of [...sockets]) socket.destroy();
          if (kind === 'silent') for (const socket of sockets) silent.add(socket);
          await untilTrue('the end of the queue', isDone(table));
        } finally {
          worker.stop();
          for (const socket of sockets) socket.destroy();
          proxy.close();
          await run;
          await pool.end();
        }
        expect(await expectInStep(table)).toBe(1500);
        await expectEachOnce(table);
      },
    );

  if (!inChunks)
    test('a text that is too long fails by itself, with its reason, until it changes', async () => {
      const table = await create({ truncate: false });
      await fill(table, 20);
      await table.run("UPDATE documents SET body = repeat('word ', 2000) WHERE id = 7");
      await drain(table);
      expect(await queueOf(table)).toMatchObject([{ key_1: '7', failed: true, attempts: 1 }]);
      const [failure] = await readFailures(table.pool, table.target, 5);
      expect(failure).toEqual({ key: ['7'], reason: expect.stringMatching(/tokens/) as string });
      expect(await readStatus(table.pool, table.target)).toMatchObject({ pending: 0, failed: 1 });
      await table.run('UPDATE documents SET views = 1');
      expect(await queueOf(table)).toMatchObject([{ failed: true }]);
      expect(await runBackfill(table)).toBe(0);
      expect(await runBackfill(table, 100, true)).toBe(1);
      await drain(table);
      expect(await queueOf(table)).toMatchObject([{ key_1: '7', failed: true }]);
      await table.run("UPDATE documents SET body = 'short' WHERE id = 7");
      await drain(table);
      expect(await queueOf(table)).toEqual([]);
      expect(await expectInStep(table)).toBe(20);
      await expectEachOnce(table);
    });

  test('a text that makes whole batches fail is found, and takes no other with it', async () => {
    const table = await create();
    await fill(table, 30);
    await table.run("UPDATE documents SET title = 'bomb' WHERE id = 13");
    const session = await sharedSession();
    const defuse = (texts: string | readonly string[]): void => {
      if ([texts].flat().some((text) => text.startsWith('bomb')))
        throw new GtewayError('ERR_OUT_OF_MEMORY', 'too much');
    };
    const fragile: SyncSession = {
      info: session.info,
      embed(texts, options) {
        defuse(texts);
        return session.embed(texts, options);
      },
      embedDocument(texts, options) {
        defuse(texts);
        return session.embedDocument(texts, options);
      },
    };
    for (let i = 0; i < mostAttempts; i++) {
      await new SyncWorker(table.pool, table.target, fragile, workerOptions).run();
      await table.run('UPDATE gteway_sync.documents_queue SET due = now() WHERE failed_at IS NULL');
    }
    expect(await queueOf(table)).toMatchObject([
      { key_1: '13', failed: true, attempts: mostAttempts, reason: 'too much' },
    ]);
    await table.run("UPDATE documents SET title = 'harmless' WHERE id = 13");
    await drain(table);
    expect(await expectInStep(table)).toBe(30);
    await expectEachOnce(table);
  });

  if (inChunks)
    test('a text fails as a whole where one of its chunks does, and keeps what it has', async () => {
      const table = await create();
      await fill(table, 6);
      await drain(table);
      const before = await table.run('SELECT * FROM document_chunks WHERE id = 4 ORDER BY chunk');
      await table.run("UPDATE documents SET body = repeat('another body ', 30) WHERE id IN (3, 4)");
      const session = await sharedSession();
      const fragile: SyncSession = {
        info: session.info,
        embed: (texts, options) => session.embed(texts, options),
        async embedDocument(texts, options) {
          const embedded = await session.embedDocument(texts, options);
          const poisoned = [texts].flat().findIndex((text) => text.startsWith('title 4'));
          const at = embedded.chunks.findLastIndex(({ document }) => document === poisoned);
          const errors = new Map([[at, new GtewayError('ERR_INFERENCE_FAILED', 'not finite')]]);
          const { data, dimensions, tokens, truncated } = embedded.embeddings;
          return { ...embedded, embeddings: new Embeddings(data, dimensions, tokens, truncated, errors) };
        },
      };
      await new SyncWorker(table.pool, table.target, fragile, workerOptions).run();
      expect(await queueOf(table)).toMatchObject([{ key_1: '4', failed: true, reason: 'not finite' }]);
      expect(await table.run('SELECT * FROM document_chunks WHERE id = 4 ORDER BY chunk')).toEqual(before);
      await runBackfill(table, 100, true);
      await drain(table);
      expect(await expectInStep(table)).toBe(6);
      await expectEachOnce(table);
    });

  test('a row that no worker comes back from is given up, and embedded alone before that', async () => {
    const table = await create();
    await fill(table, 3);
    const store = new PostgresStore(table.pool, table.target, 0);
    const sizes: number[] = [];
    for (let i = 0; i < 6; i++) sizes.push((await store.claim({ rows: 10, bytes: 10_000 }))?.jobs.length ?? 0);
    expect(sizes).toEqual([3, 3, 1, 1, 1, 1]);
    await table.run('UPDATE gteway_sync.documents_queue SET attempts = $1 WHERE key_1 = 2', [mostAttempts]);
    await table.run('UPDATE gteway_sync.documents_queue SET attempts = 0 WHERE key_1 <> 2');
    await drain(table);
    const [failed, ...others] = await queueOf(table);
    expect(others).toEqual([]);
    expect(failed).toMatchObject({ key_1: '2', failed: true, reason: expect.stringContaining('given up') as string });
  });

  const meanwhile: [what: string, sql: string][] = [
    ['is deleted', 'DELETE FROM documents WHERE id = 2'],
    [
      'is deleted and comes back',
      "DELETE FROM documents WHERE id = 2; INSERT INTO documents VALUES (2, 'title 2', 'a body about 2')",
    ],
    ['gets another key', 'UPDATE documents SET id = 20 WHERE id = 2'],
    [
      'swaps keys',
      'UPDATE documents SET id = -id; UPDATE documents SET id = CASE id WHEN -2 THEN 3 WHEN -3 THEN 2 ELSE -id END',
    ],
    ['gets another text', "UPDATE documents SET title = 'other' WHERE id = 2"],
    [
      'gets another text and its old one again',
      "UPDATE documents SET title = 'x'; UPDATE documents SET title = 'title ' || id",
    ],
    [
      'gets another text without a trigger',
      "SET session_replication_role = replica; UPDATE documents SET title = 'x' WHERE id = 2; RESET session_replication_role",
    ],
    ['loses its text', 'UPDATE documents SET title = NULL, body = NULL WHERE id = 2'],
    ['is truncated with all others', "TRUNCATE documents; INSERT INTO documents VALUES (2, 'new')"],
  ];
  test.each(meanwhile)('a row that %s while it is embedded', async (_what, sql) => {
    const table = await create();
    await fill(table, 5);
    // What a foreign key leads to cannot be emptied alone.
    await embedWhile(table, () => table.run(inChunks ? sql.replace('TRUNCATE documents', '$& CASCADE') : sql));
    await table.run('UPDATE gteway_sync.documents_queue SET due = now()');
    await drain(table);
    expect(await queueOf(table)).toEqual([]);
    await expectInStep(table);
    // By the row's text: a key may have had several.
    await expectEachOnce(table);
  });

  /** One batch, with something that happens between reading its texts and writing its vectors. */
  async function embedWhile(
    table: TestTable,
    happen: () => Promise<unknown>,
    store = new PostgresStore(table.pool, table.target, 30),
  ): Promise<BatchReport | undefined> {
    const embed = embeddingOf(await sharedSession(), table.target);
    return workOnBatch({
      store,
      async embed(texts) {
        const embedded = await embed(texts);
        await happen();
        return embedded;
      },
      size: new BatchSize(1000),
      held: new Set(),
      isStopping: () => false,
    });
  }

  test('two versions of a row in two workers: the older one writes nothing', async () => {
    const table = await create();
    await fill(table, 1);
    let newer: BatchReport | undefined;
    const older = await embedWhile(table, async () => {
      await table.run("UPDATE documents SET title = 'newer'");
      newer = await embedWhile(table, () => Promise.resolve());
    });
    expect([older, newer]).toMatchObject([
      { written: 0, lost: 1 },
      { written: 1, lost: 0 },
    ]);
    expect(await expectInStep(table)).toBe(1);
    await expectEachOnce(table);
  });

  test('a lease that ended belongs to the next, and of two holders one writes', async () => {
    const table = await create();
    await fill(table, 4);
    let second: BatchReport | undefined;
    const first = await embedWhile(table, async () => {
      await table.run('UPDATE gteway_sync.documents_queue SET due = now()');
      second = await embedWhile(table, () => Promise.resolve());
    });
    expect([first, second]).toMatchObject([
      { written: 0, lost: 4 },
      { written: 4, lost: 0 },
    ]);
    await expectInStep(table);
    await expectEachOnce(table);
  });

  test('a job that another claim has locked for a moment is waited for', async () => {
    const table = await create();
    await fill(table, 5);
    const pool = await openPool({ url: table.url }, 1);
    const other = await pool.connect();
    try {
      const store = new PostgresStore(table.pool, table.target, 30, Array<number>(5000).fill(0.02));
      const batch = embedWhile(
        table,
        async () => {
          await other.query('BEGIN');
          // As a claim does that began before ours had ended, and then finds that the job is not due.
          await other.query('SELECT FROM gteway_sync.documents_queue WHERE key_1 = 3 FOR UPDATE');
        },
        store,
      );
      const made = async (): Promise<number> =>
        (await table.run<{ made: number }>('SELECT count(embedding_hash)::int AS made FROM documents'))[0]?.made ?? 0;
      await untilTrue('the other four', async () => (await made()) === 4);
      await other.query('COMMIT');
      expect(await batch).toMatchObject({ written: 5, released: 0, lost: 0 });
    } finally {
      other.release();
      await pool.end();
    }
    expect(await expectInStep(table)).toBe(5);
    await expectEachOnce(table);
  });

  test('rows and jobs that a transaction keeps locked are left for later', async () => {
    const table = await create();
    await fill(table, 5);
    const pool = await openPool({ url: table.url }, 1);
    const user = await pool.connect();
    let report: BatchReport | undefined;
    try {
      await user.query('BEGIN');
      report = await embedWhile(table, async () => {
        await user.query('SELECT FROM public.documents WHERE id = 2 FOR UPDATE');
        await user.query("UPDATE public.documents SET title = 'uncommitted' WHERE id = 3");
      });
      await user.query('COMMIT');
    } finally {
      user.release();
      await pool.end();
    }
    expect(report).toMatchObject({ written: 3, released: 1, lost: 1 });
    await table.run('UPDATE gteway_sync.documents_queue SET due = now()');
    await drain(table);
    expect(await expectInStep(table)).toBe(5);
  });

  if (!inChunks)
    test('clocks of workers that are a day wrong change nothing: only the database’s counts', async () => {
      const table = await create();
      await fill(table, 400);
      const shifted = (hours: number): string => `
      const RealDate = Date, shift = ${hours * 3_600_000};
      globalThis.Date = class extends RealDate {
        constructor(...args) { args.length === 0 ? super(RealDate.now() + shift) : super(...args); }
        static now() { return RealDate.now() + shift; }
      };`;
      const workers = [-24, 24].map((hours) =>
        spawnWorker(table, ['--once', '--batch', '300', '--lease', '5'], shifted(hours)),
      );
      const codes = await Promise.all(workers.map(async (worker) => ((await once(worker, 'close')) as [number])[0]));
      expect(codes).toEqual([0, 0]);
      expect(await expectInStep(table)).toBe(400);
      await expectEachOnce(table);
    });

  test('another model while a worker runs: it ends with an error, and all rows get vectors of the new one', async () => {
    const table = await create();
    await fill(table, 500);
    let batches = 0;
    const worker = await startWorker(table, { once: false, lease: 2, tokens: 400 }, { batch: () => batches++ });
    const run = worker.run().then(
      () => undefined,
      (error: unknown) => error,
    );
    await untilTrue('a batch', () => batches > 0);
    const target = await install(table.pool, { ...formOptions, modelVersion: 'second' });
    const second = { ...table, target };
    await runBackfill(second);
    expect(await run).toMatchObject({ message: expect.stringContaining('now wants vectors of second') as string });
    await drain(second);
    await untilTrue('leases of the first', async () => {
      await table.run('UPDATE gteway_sync.documents_queue SET due = now()');
      await drain(second);
      return isDone(second)();
    });
    expect(await expectInStep(second)).toBe(500);
    await expectEachOnce(second);
  });
});
