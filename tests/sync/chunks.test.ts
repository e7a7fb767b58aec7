/** Long texts in a table of chunks, in a real PostgreSQL: what ties chunks to their row, what replaces them, what is refused. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Session } from '../../lib/index.js';
import { removeSql } from '../../lib/sync/schema-sql.js';
import { readStatus } from '../../lib/sync/status.js';
import { readSyncConfig } from '../../lib/sync/config.js';
import { checkChunks } from '../../lib/sync/embedding.js';
import { root } from '../built-library.js';
import { findPostgres } from './postgres.js';
import {
  chunked,
  drain,
  expectInStep,
  install,
  model,
  queueOf,
  runBackfill,
  sharedSession,
  type TableOptions,
  type TestTable,
  useCluster,
} from './sync-fixture.js';

const base = { table: 'documents', text: 'body', model: 'm' };

test('options of chunks are checked, and are part of what vectors are marked with', () => {
  const wrong: [chunks: unknown, message: string][] = [
    ['public.x', 'chunks must be an object such as { table: "public.article_chunks" }, not \'public.x\''],
    [{}, 'chunks: table is missing'],
    [{ table: 'a.b.c' }, "table 'a.b.c' has 3 parts"],
    [{ table: 'c', sise: 1 }, "unknown option 'sise'; did you mean 'size'?"],
    [{ table: 'c', size: 0 }, 'chunks: size must be a whole number from 1, not 0'],
    [{ table: 'c', overlap: -1 }, 'chunks: overlap must be a whole number from 0, not -1'],
    [{ table: 'c', by: 'page' }, "chunks: by must be one of 'paragraph'"],
    [{ table: 'c', text: 'yes' }, "chunks: text must be true or false, not 'yes'"],
  ];
  for (const [chunks, message] of wrong) expect(() => readSyncConfig('x', { ...base, chunks })).toThrow(message);
  expect(() => readSyncConfig('x', { ...base, chunks: { table: 'c' }, truncate: false })).toThrow('leave truncate out');
  const versionOf = (chunks: object): string => readSyncConfig('x', { ...base, chunks }).modelVersion;
  expect(versionOf({ table: 'c' })).toBe('m/paragraph-256');
  expect(versionOf({ table: 'c', size: 128, overlap: 16, by: 'word', text: true })).toBe('m/word-128-16-text');
});

test('chunks that the model does not take are refused before anything is queued', async () => {
  const session = await Session.load<string>(model, { threads: 1 });
  const check = (chunks: object): Promise<void> =>
    checkChunks(session, readSyncConfig('x', { ...base, chunks: { table: 'c', ...chunks } }));
  await check({ size: 32, overlap: 15 });
  await expect(check({ size: 100_000 })).rejects.toThrow('chunks: size 100000 is more than the');
  await expect(check({ size: 2 })).rejects.toThrow('chunks: size is 2, but must be at least 3');
  await expect(check({ size: 32, overlap: 16 })).rejects.toThrow('chunks: overlap is 16, more than half of the 30');
  await session.close();
});

const postgres = findPostgres();
const missing = 'missing' in postgres ? postgres.missing : undefined;

describe.skipIf(missing !== undefined)(`chunks${missing === undefined ? '' : ` (skipped: ${missing})`}`, () => {
  const database = useCluster();
  const create = async (...[options, ...rest]: TableOptions): Promise<TestTable> => {
    return database.createTable({ ...chunked, ...options }, ...rest);
  };

  const long = "repeat('a word and another. ', id::int % 7 + 3)";

  test('each text has its chunks and no other, whatever happens to its row', async () => {
    const table = await create();
    await table.run(`INSERT INTO documents SELECT id, 'title ' || id, ${long} FROM generate_series(1, 60) id`);
    await table.run(
      "INSERT INTO documents VALUES (100, 'a 😀 b 👩‍👩‍👧 c', repeat('é中文😀 ', 20)), (101, NULL, NULL), (102, '  ', NULL)",
    );
    await drain(table);
    expect(await expectInStep(table)).toBe(63);
    await table.run("UPDATE documents SET body = 'short' WHERE id <= 20");
    await table.run('UPDATE documents SET body = body || body WHERE id BETWEEN 21 AND 40');
    await table.run('DELETE FROM documents WHERE id BETWEEN 15 AND 25');
    await drain(table);
    expect(await expectInStep(table)).toBe(52);
    expect(await queueOf(table)).toEqual([]);
  });

  test('chunks get another key with their row, which costs nothing', async () => {
    const table = await create();
    await table.run(`INSERT INTO documents SELECT id, 'title ' || id, ${long} FROM generate_series(1, 5) id`);
    await drain(table);
    await table.run('UPDATE documents SET id = id + 10, views = views + 1');
    await table.run('UPDATE documents SET id = -id WHERE id IN (12, 13)');
    await table.run('UPDATE documents SET id = CASE id WHEN -12 THEN 13 ELSE 12 END WHERE id < 0');
    expect(await queueOf(table)).toEqual([]);
    expect(await expectInStep(table)).toBe(5);
  });

  test('a chunk that somebody takes away is missed by a backfill, and by the next change of its row', async () => {
    const table = await create();
    await table.run(`INSERT INTO documents SELECT id, 'title ' || id, ${long} FROM generate_series(1, 9) id`);
    await drain(table);
    await table.run('DELETE FROM document_chunks WHERE id = 2 AND chunk = 1 OR id = 3');
    expect(await runBackfill(table)).toBe(2);
    await table.run('DELETE FROM document_chunks WHERE id = 4 AND chunk = 0');
    await table.run('UPDATE documents SET views = 1');
    expect((await queueOf(table)).map(({ key_1 }) => key_1)).toEqual(['2', '3', '4']);
    await drain(table);
    expect(await expectInStep(table)).toBe(9);
    await table.run('TRUNCATE document_chunks');
    expect(await runBackfill(table)).toBe(9);
  });

  test('a text of thousands of chunks is written whole', async () => {
    const table = await create();
    await table.run(
      "INSERT INTO documents SELECT 1, 'long', string_agg('sentence number ' || i || ' of many.', ' ') FROM generate_series(1, 1300) i",
    );
    await drain(table);
    expect(await expectInStep(table)).toBe(1);
    const [row] = await table.run<{ counted: number }>('SELECT embedding_chunks::int AS counted FROM documents');
    expect(row?.counted).toBeGreaterThan(1000);
  });

  test('other chunks are another version: nothing happens until a backfill asks for it', async () => {
    const table = await create();
    await table.run(`INSERT INTO documents SELECT id, 'title ' || id, ${long} FROM generate_series(1, 8) id`);
    await drain(table);
    const target = await install(table.pool, { chunks: { ...chunked.chunks, size: 20, overlap: 0, by: 'word' } });
    const second = { ...table, target };
    expect(await queueOf(second)).toEqual([]);
    expect(await runBackfill(second)).toBe(8);
    await drain(second);
    expect(await expectInStep(second)).toBe(8);
  });

  test('texts beside vectors are an option, which may come later', async () => {
    const table = await create({ chunks: { ...chunked.chunks, text: false } });
    await table.run("INSERT INTO documents VALUES (1, 'one', 'and more than a chunk of text behind it')");
    await drain(table);
    const columns = `SELECT attname AS name FROM pg_attribute WHERE attrelid = 'document_chunks'::regclass AND attnum > 0 ORDER BY attnum`;
    const names = ['id', 'chunk', 'chunk_start', 'chunk_end', 'tokens', 'embedding'];
    expect((await table.run<{ name: string }>(columns)).map(({ name }) => name)).toEqual(names);
    const second = { ...table, target: await install(table.pool, chunked) };
    expect(await runBackfill(second)).toBe(1);
    await drain(second);
    expect(await expectInStep(second)).toBe(1);
  });

  test('a key of several columns and names of every kind', async () => {
    const table = await create(
      {
        table: '"we""ird"."Ta\'ble"',
        text: ['te\\xt'],
        vector: 'V"ec',
        name: 'weird',
        chunks: { table: '"we""ird"."Ch.unks"', size: 8 },
      },
      {
        create: `CREATE SCHEMA "we""ird"; CREATE TABLE "we""ird"."Ta'ble" ("select" uuid DEFAULT gen_random_uuid(), "Key $2" date DEFAULT '2026-02-03', "te\\xt" text, PRIMARY KEY ("select", "Key $2"))`,
      },
    );
    await table.run(`INSERT INTO "we""ird"."Ta'ble" ("te\\xt") VALUES (repeat('word ', 12)), ('b')`);
    await drain(table);
    const counts = `SELECT (SELECT count(*)::int FROM "we""ird"."Ch.unks" c WHERE c."select" = t."select") AS chunks FROM "we""ird"."Ta'ble" t ORDER BY 1`;
    expect(await table.run(counts)).toEqual([{ chunks: 1 }, { chunks: 2 }]);
    await table.run(`UPDATE "we""ird"."Ta'ble" SET "Key $2" = '2027-01-01'`);
    expect(await table.run(counts)).toEqual([{ chunks: 1 }, { chunks: 2 }]);
    expect(await table.run('SELECT FROM gteway_sync.weird_queue')).toEqual([]);
    expect((await readStatus(table.pool, table.target)).chunks).toBe('"we""ird"."Ch.unks"');
  });

  test('applied twice it is the same, and removed it leaves the chunks or nothing', async () => {
    const table = await create();
    await table.run("INSERT INTO documents VALUES (1, 'one', 'and more than a chunk of text behind it')");
    await install(table.pool, chunked);
    await drain(table);
    await expectInStep(table);
    const facts = `SELECT to_regclass('document_chunks') IS NOT NULL AS chunks,
      (SELECT count(*)::int FROM pg_namespace WHERE nspname = 'gteway_sync') AS schemas,
      (SELECT count(*)::int FROM pg_attribute WHERE attrelid = 'documents'::regclass AND attname LIKE 'embedding%' AND NOT attisdropped) AS columns`;
    for (const statement of removeSql(table.target)) await table.pool.query(statement);
    expect(await table.run(facts)).toEqual([{ chunks: true, schemas: 0, columns: 3 }]);
    const again = await install(table.pool, chunked);
    expect(await runBackfill({ ...table, target: again })).toBe(0);
    for (const statement of removeSql(again, { dropColumns: true })) await table.pool.query(statement);
    expect(await table.run(facts)).toEqual([{ chunks: false, schemas: 0, columns: 0 }]);
  });

  test('what is no table of chunks of this table, or has the other form, is refused', async () => {
    const table = await create();
    await expect(install(table.pool, {})).rejects.toThrow('has a column "embedding_chunks" of vectors of chunks');
    await table.run('CREATE TABLE column_form (id int PRIMARY KEY, title text, body text, embedding real[])');
    await expect(install(table.pool, { ...chunked, table: 'column_form' })).rejects.toThrow('of a vector for each row');
    await table.run('CREATE TABLE other (id bigint PRIMARY KEY, chunk int)');
    const into = (name: string): object => ({ ...chunked, chunks: { ...chunked.chunks, table: name } });
    await expect(install(table.pool, into('other'))).rejects.toThrow('"public"."other" has no column "chunk_start"');
    await table.run('CREATE TABLE copied (LIKE document_chunks)');
    await expect(install(table.pool, into('copied'))).rejects.toThrow('no foreign key to "public"."documents" that');
    await table.run('CREATE TABLE keyed (chunk int PRIMARY KEY, title text, body text)');
    await expect(install(table.pool, { ...chunked, table: 'keyed' })).rejects.toThrow(
      'key column "chunk" has the name',
    );
  });

  test('a user without rights on chunks may change and delete rows', async () => {
    const table = await create();
    await table.run("INSERT INTO documents VALUES (1, 'one', 'and more than a chunk of text behind it')");
    await drain(table);
    await table.run('CREATE ROLE editor; GRANT SELECT, INSERT, UPDATE, DELETE ON documents TO editor');
    await table.run("BEGIN; SET LOCAL ROLE editor; UPDATE documents SET id = 2, title = 'two'; COMMIT");
    await drain(table);
    expect(await expectInStep(table)).toBe(1);
    await table.run('BEGIN; SET LOCAL ROLE editor; DELETE FROM documents; COMMIT');
    expect(await expectInStep(table)).toBe(0);
    await table.run('DROP OWNED BY editor; DROP ROLE editor');
  });

  test('an index of pgvector, and the search that docs/sync.md shows', async (context) => {
    if (database.cluster.withoutVector !== undefined) return context.skip(database.cluster.withoutVector);
    const table = await create({}, { vector: true });
    await table.run(
      "INSERT INTO documents VALUES (1, 'wine', repeat('grapes and barrels. ', 9)), (2, 'stars', repeat('a telescope at night. ', 9))",
    );
    await drain(table);
    expect(await expectInStep(table)).toBe(2);
    const [index] = await table.run<{ of: string }>(
      "SELECT tablename AS of FROM pg_indexes WHERE indexname = 'gteway_sync_documents_hnsw'",
    );
    expect(index).toEqual({ of: 'document_chunks' });
    const sql =
      /^ {4}CREATE FUNCTION match_chunks[^]*?\$\$;$/m.exec(readFileSync(join(root, 'docs', 'sync.md'), 'utf8'))?.[0] ??
      '';
    await table.run(
      `SET search_path = public, extensions; ${sql.replaceAll('vector(384)', `vector(${table.target.dimensions})`).replaceAll('article', 'document')}; ALTER FUNCTION match_chunks SET search_path = public, extensions; RESET search_path`,
    );
    const query = (await (await sharedSession()).embed('a telescope at night')).toPgVector(0);
    const found = await table.run<{ id: string; content: string; similarity: number }>(
      'SELECT * FROM match_chunks($1::extensions.vector, 2)',
      [query],
    );
    expect(found.map(({ id }) => id)).toEqual(['2', '2']);
    expect(found[0]?.content).toContain('telescope');
  });
});
