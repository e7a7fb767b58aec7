/** `gteway sync` as a user runs it: another process, a database, signals. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { syncAgeMetric } from '../../lib/sync/metrics.js';
import { buildLibrary, root } from '../built-library.js';
import { cli, cliEnvironment, main, runCli, temporaryDirectory } from '../cli/run-cli.js';
import { findPostgres } from './postgres.js';
import { expectInStep, model, queueOf, untilTrue, useCluster } from './sync-fixture.js';

const postgres = findPostgres();
const missing = 'missing' in postgres ? postgres.missing : undefined;

beforeAll(buildLibrary);

test('misuse is exit code 2 and says which option', async () => {
  const cases: [args: string[], message: string][] = [
    [['init', '--table', 'documents'], 'the options: model is missing'],
    [['init', '--table', 'documents', '--model', model], 'give either text, the columns to embed, or template'],
    [['init', '--table', 'a.b.c', '--model', model, '--text', 'x'], "table 'a.b.c' has 3 parts"],
    [['init', '--config', '/no/such/file.json'], 'cannot read /no/such/file.json: there is no such file or directory'],
    [
      ['init', '--table', 'documents', '--model', model, '--text', 'x', '--chunk-size', '9'],
      'the options: chunks: table is missing',
    ],
    [
      ['init', '--table', 'documents', '--model', model, '--text', 'x', '--chunks', 'c', '--chunk-size', '999999'],
      'chunks: size 999999 is more than the',
    ],
    [['work', '--poll', 'often'], 'It must be a whole number of at least 1'],
  ];
  for (const [args, message] of cases) {
    const { code, stdout, stderr } = await runCli(['sync', ...args]);
    expect([args, code, stdout]).toEqual([args, 2, '']);
    expect(stderr).toContain(message);
  }
  const directory = temporaryDirectory();
  const file = join(directory, 'sync.json');
  writeFileSync(file, JSON.stringify({ tabel: 'x' }));
  expect((await runCli(['sync', 'init', '--config', file])).stderr).toContain(
    "unknown option 'tabel'; did you mean 'table'?",
  );
});

test('without the driver, or without a database, it says what to do', async () => {
  const away = await runCli(['sync', 'status', '--database', 'postgres://127.0.0.1:1/x']);
  expect([away.code, away.stderr]).toEqual([1, 'gteway: the database: connect ECONNREFUSED 127.0.0.1:1\n']);
  // The package as somebody has it who did not install pg: everything else is linked.
  const directory = temporaryDirectory();
  const installed = join(directory, 'node_modules');
  mkdirSync(join(installed, 'gteway'), { recursive: true });
  for (const name of ['dist', 'package.json'])
    cpSync(join(root, name), join(installed, 'gteway', name), { recursive: true });
  for (const name of [
    'commander',
    'cli-progress',
    'prom-client',
    'undici',
    'ollama',
    'eventsource-parser',
    'node-gyp-build',
  ]) {
    symlinkSync(join(root, 'node_modules', name), join(installed, name));
  }
  const child = spawn(process.execPath, [join(installed, 'gteway/dist/cli/main.js'), 'sync', 'status'], {
    env: cliEnvironment(),
  });
  let stderr = '';
  child.stderr.on('data', (bytes: Buffer) => (stderr += bytes.toString()));
  const [code] = (await once(child, 'close')) as [number];
  expect([code, stderr]).toEqual([1, 'gteway: gteway sync needs the PostgreSQL driver: npm install pg\n']);
});

describe.skipIf(missing !== undefined)(
  `with a database${missing === undefined ? '' : ` (skipped: ${missing})`}`,
  () => {
    const database = useCluster();

    test('init from a file of YAML, backfill, work, status, remove', async () => {
      const table = await database.createTable();
      const env = { DATABASE_URL: table.url };
      const other = 'CREATE TABLE notes (id int PRIMARY KEY, note text)';
      await table.run(other);
      await table.run("INSERT INTO notes VALUES (1, 'a note'), (2, 'another')");
      const directory = temporaryDirectory();
      const file = join(directory, 'sync.yaml');
      writeFileSync(file, `table: public.notes\ntext: note\nmodel: ${model}\nindex: none\n`);

      const printed = await cli(['sync', 'init', '--config', file], { env });
      expect(printed.stdout).toMatch(/^BEGIN;\nCREATE SCHEMA IF NOT EXISTS "gteway_sync";/);
      expect(printed.stdout).toMatch(/COMMIT;\n$/);
      expect(await table.run("SELECT to_regclass('gteway_sync.notes_queue') AS queue")).toEqual([{ queue: null }]);

      await cli(['sync', 'init', '--config', file, '--apply'], { env });
      const several = await runCli(['sync', 'status'], { env });
      expect([several.code, several.stderr]).toEqual([
        1,
        'gteway: several tables are synchronised: choose with --name one of documents, notes\n',
      ]);
      const { stderr } = await cli(['sync', 'backfill', '--name', 'notes'], { env });
      expect(stderr).toBe('gteway: 2 rows looked at, 2 queued\n');
      await cli(['sync', 'work', '--name', 'notes', '--once', '--offline', '--threads', '1'], { env });
      expect(await table.run('SELECT count(embedding)::int AS made FROM notes')).toEqual([{ made: 2 }]);
      const status = JSON.parse((await cli(['sync', 'status', '--name', 'notes', '--json'], { env })).stdout) as object;
      expect(status).toMatchObject({
        name: 'notes',
        version: model,
        pending: 0,
        running: 0,
        failed: 0,
        oldest: 0,
        failures: [],
      });
      expect((await cli(['sync', 'status', '--name', 'notes'], { env })).stdout).toMatch(/^pending {2}0$/m);
      await cli(['sync', 'remove', '--name', 'notes', '--apply', '--drop-columns'], { env });
      expect(await table.run("SELECT to_regclass('gteway_sync.notes_queue') AS queue")).toEqual([{ queue: null }]);
      expect((await cli(['sync', 'status'], { env })).stdout).toMatch(/^documents {2}"public"."documents"/);
    });

    test('chunks from a file, and flags before it: init, backfill, work, status, remove', async () => {
      const table = await database.createTable();
      const env = { DATABASE_URL: table.url };
      await table.run('CREATE TABLE notes (id int PRIMARY KEY, note text)');
      await table.run("INSERT INTO notes VALUES (1, repeat('a note. ', 20)), (2, 'another')");
      const file = join(temporaryDirectory(), 'sync.yaml');
      const chunks = 'chunks:\n  table: public.note_chunks\n  size: 99\n  by: word\n';
      writeFileSync(file, `table: public.notes\ntext: note\nmodel: ${model}\nindex: none\n${chunks}`);
      const flags = ['--chunk-size', '12', '--chunk-overlap', '3', '--chunk-text'];
      await cli(['sync', 'init', '--config', file, ...flags, '--apply'], { env });
      await cli(['sync', 'backfill', '--name', 'notes'], { env });
      await cli(['sync', 'work', '--name', 'notes', '--once', '--offline', '--threads', '1'], { env });
      const found = await table.run<{ id: number; chunks: number; tokens: number; same: boolean }>(
        `SELECT id, count(*)::int AS chunks, max(tokens) AS tokens,
           bool_and(content = substr(note, chunk_start + 1, chunk_end - chunk_start)) AS same
         FROM note_chunks JOIN notes USING (id) GROUP BY id ORDER BY id`,
      );
      expect(found).toMatchObject([
        { id: 1, tokens: 12, same: true },
        { id: 2, chunks: 1, same: true },
      ]);
      const status = (await cli(['sync', 'status', '--name', 'notes'], { env })).stdout;
      expect(status).toContain(`vectors of ${model}/word-12-3-text in "public"."note_chunks"`);
      await cli(['sync', 'remove', '--name', 'notes', '--apply', '--drop-columns'], { env });
      expect(await table.run("SELECT to_regclass('note_chunks') AS chunks")).toEqual([{ chunks: null }]);
    });

    test('SIGTERM: what was claimed is written or given back, and metrics tell of it until then', async () => {
      const table = await database.createTable();
      await table.run("INSERT INTO documents SELECT i, 'row ' || i FROM generate_series(1, 3000) i");
      const args = ['sync', 'work', '--database', table.url, '--threads', '1', '--batch', '400', '--metrics', '0'];
      const child = spawn(process.execPath, [main, ...args], { env: cliEnvironment() });
      onTestFinished(() => void child.kill('SIGKILL'));
      let stderr = '';
      child.stderr.on('data', (bytes: Buffer) => (stderr += bytes.toString()));
      const ended = once(child, 'close');
      const written = async (): Promise<number> => {
        const [row] = await table.run<{ made: number }>('SELECT count(embedding)::int AS made FROM documents');
        return row?.made ?? 0;
      };
      await untilTrue('the first rows', async () => (await written()) > 0);
      const url = /metrics at (\S+)/.exec(stderr)?.[1] ?? '';
      const metrics = await (await fetch(url)).text();
      expect(metrics).toMatch(new RegExp(`^${syncAgeMetric} [\\d.e-]+$`, 'm'));
      expect(Number(/^gteway_sync_rows_total\{end="written"\} (\d+)$/m.exec(metrics)?.[1])).toBeGreaterThan(0);
      expect((await fetch(new URL('/health', url))).status).toBe(200);
      child.kill('SIGTERM');
      const [code] = (await ended) as [number | null];
      expect([code, stderr]).toEqual([0, expect.stringContaining('stopping') as string]);
      const [left] = await table.run<{ held: number; rows: number; tried: number }>(
        'SELECT count(token)::int AS held, count(*)::int AS rows, max(attempts)::int AS tried FROM gteway_sync.documents_queue',
      );
      const made = await written();
      expect(left).toMatchObject({ held: 0, rows: 3000 - made });
      expect(left?.tried ?? 0).toBe(0);
      const { workers } =
        (await table.run<{ workers: number }>('SELECT count(*)::int AS workers FROM gteway_sync.worker'))[0] ?? {};
      expect(workers).toBe(0);
      // Nothing is due at the end of one that may leave what somebody had locked: for a lease at most.
      await untilTrue('the end of the queue', async () => {
        await cli(['sync', 'work', '--database', table.url, '--once', '--threads', '1', '--lease', '2']);
        return (await queueOf(table)).every(({ failed }) => failed);
      });
      expect(await queueOf(table)).toEqual([]);
      expect(await expectInStep(table)).toBe(3000);
    });
  },
);
