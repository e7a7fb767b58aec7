/** A table kept in step by a worker, in a real PostgreSQL: what is queued, what is written, and what costs nothing. */
import { describe, expect, test } from 'vitest';
import { removeSql } from '../../lib/sync/schema-sql.js';
import { readStatus } from '../../lib/sync/status.js';
import { backfillSql } from '../../lib/sync/backfill.js';
import { queueSql } from '../../lib/sync/queue-sql.js';
import { findPostgres } from './postgres.js';
import { drain, expectInStep, install, queueOf, runBackfill, useCluster } from './sync-fixture.js';

const postgres = findPostgres();
const missing = 'missing' in postgres ? postgres.missing : undefined;

describe.skipIf(missing !== undefined)(
  `a table in step${missing === undefined ? '' : ` (skipped: ${missing})`}`,
  () => {
    const database = useCluster();
    const create = database.createTable;

    test('inserts, updates, deletes and new keys end with the vector of each row’s text', async () => {
      const table = await create();
      await table.run(
        "INSERT INTO documents SELECT i, 'title ' || i, 'a body about ' || i FROM generate_series(1, 300) i",
      );
      await drain(table);
      expect(await expectInStep(table)).toBe(300);
      await table.run("UPDATE documents SET body = 'changed ' || id WHERE id <= 100");
      await table.run('DELETE FROM documents WHERE id BETWEEN 50 AND 60');
      await table.run('UPDATE documents SET id = id + 1000 WHERE id > 290');
      await table.run("UPDATE documents SET title = NULL, body = '' WHERE id = 7");
      await drain(table);
      expect(await expectInStep(table)).toBe(289);
      expect(await queueOf(table)).toEqual([]);
    });

    test('what does not change a text costs nothing: no job, whatever statement it was', async () => {
      const table = await create();
      await table.run("INSERT INTO documents VALUES (1, 'one', NULL), (2, 'two', 'text')");
      await drain(table);
      await table.run('UPDATE documents SET views = views + 1');
      await table.run('UPDATE documents SET title = title, id = id + 10');
      await table.run("INSERT INTO documents VALUES (11, 'one') ON CONFLICT (id) DO UPDATE SET title = excluded.title");
      expect(await queueOf(table)).toEqual([]);
      await expectInStep(table);
    });

    test('a row stands in the queue once, however often it changes, and ahead of a backfill', async () => {
      const table = await create();
      await table.run("INSERT INTO documents VALUES (1, 'one', NULL)");
      await table.run("UPDATE documents SET title = 'uno'");
      await table.run("UPDATE documents SET title = 'eins'");
      expect(await queueOf(table)).toMatchObject([{ key_1: '1', priority: 0, attempts: 0 }]);
      await runBackfill(table);
      expect(await queueOf(table)).toMatchObject([{ key_1: '1', priority: 0 }]);
    });

    test('a vector that somebody takes away is made again', async () => {
      const table = await create();
      await table.run("INSERT INTO documents VALUES (1, 'one', NULL)");
      await drain(table);
      await table.run('UPDATE documents SET embedding = NULL');
      await drain(table);
      expect(await expectInStep(table)).toBe(1);
    });

    test('backfill queues what was there before, in pages, and goes on where it was interrupted', async () => {
      const table = await create();
      await table.run('ALTER TABLE documents DISABLE TRIGGER ALL');
      await table.run("INSERT INTO documents SELECT i, 'row ' || i FROM generate_series(1, 250) i");
      await table.run('ALTER TABLE documents ENABLE TRIGGER ALL');
      const { backfill } = await import('../../lib/sync/backfill.js');
      for await (const { seen } of backfill(table.pool, table.target, { page: 100, restart: false, failed: false })) {
        if (seen === 200) break;
      }
      expect(await queueOf(table)).toHaveLength(200);
      expect((await readStatus(table.pool, table.target)).backfillAfter).toEqual(['200']);
      expect(await runBackfill(table)).toBe(50);
      await drain(table);
      expect(await expectInStep(table)).toBe(250);
      expect(await runBackfill(table)).toBe(0);
    });

    test('a key of several columns and names of every kind', async () => {
      const create_ = `CREATE SCHEMA "we""ird.schema"; CREATE TABLE "we""ird.schema"."Ta'ble; DROP" (
      "select" uuid DEFAULT gen_random_uuid(), "Key $2" date DEFAULT '2026-02-03', "te\\xt$gteway$" text, "{n}" numeric,
      PRIMARY KEY ("select", "Key $2"))`;
      const table = await create(
        {
          table: '"we""ird.schema"."Ta\'ble; DROP"',
          text: ['te\\xt$gteway$', '{n}'],
          vector: 'V"ec',
          name: 'weird',
          schema: 'own "sch',
        },
        { create: create_ },
      );
      await table.run(
        `INSERT INTO "we""ird.schema"."Ta'ble; DROP" ("te\\xt$gteway$", "{n}") VALUES ('a', 1.50), ('b', NULL)`,
      );
      await runBackfill(table, 1);
      await drain(table);
      const rows = await table.run(
        `SELECT "V""ec_hash" = sha256(convert_to(concat_ws(E'\\n', "te\\xt$gteway$", "{n}"), 'UTF8')) AS hashed,
         array_length("V""ec", 1) AS length FROM "we""ird.schema"."Ta'ble; DROP"`,
      );
      expect(rows).toEqual([
        { hashed: true, length: table.target.dimensions },
        { hashed: true, length: table.target.dimensions },
      ]);
      for (const statement of removeSql(table.target, { dropColumns: true })) await table.pool.query(statement);
      expect(await table.run(`SELECT FROM pg_namespace WHERE nspname = 'own "sch'`)).toEqual([]);
    });

    test('a template, whose columns are not text, means the same on every connection', async () => {
      const table = await create(
        { template: '{{{title}}}: {at} {body}' },
        { create: 'CREATE TABLE documents (id int PRIMARY KEY, title text, body text, at timestamptz)' },
      );
      await table.run(
        "SET timezone = 'Asia/Tokyo'; INSERT INTO documents VALUES (1, 'one', NULL, '2026-01-01 00:00Z')",
      );
      await drain(table);
      expect(await queueOf(table)).toEqual([]);
      await table.run("SET datestyle = 'German'; UPDATE documents SET id = 2");
      expect(await queueOf(table)).toEqual([]);
      await table.pool.query('SELECT 1');
      const [row] = await table.run<{ same: boolean }>(
        "SELECT embedding_hash = sha256('{one}: 2026-01-01 00:00:00+00 ') AS same FROM documents",
      );
      expect(row).toEqual({ same: true });
    });

    test('vector, halfvec and an index of pgvector, and another schema than public', async (context) => {
      if (database.cluster.withoutVector !== undefined) return context.skip(database.cluster.withoutVector);
      for (const type of ['vector', 'halfvec'] as const) {
        const table = await create({ type }, { vector: true });
        await table.run("INSERT INTO documents SELECT i, 'row ' || i FROM generate_series(1, 50) i");
        await drain(table);
        const rows = await table.run(
          `SELECT pg_catalog.format_type(a.atttypid, a.atttypmod) AS type, (SELECT count(embedding)::int FROM documents) AS filled,
           (SELECT indexdef FROM pg_indexes WHERE indexname = 'gteway_sync_documents_hnsw') AS index
         FROM pg_attribute a WHERE attrelid = 'documents'::regclass AND attname = 'embedding'`,
        );
        expect(rows).toEqual([
          {
            type: `extensions.${type}(${table.target.dimensions})`,
            filled: 50,
            index: expect.stringContaining(`hnsw (embedding extensions.${type}_cosine_ops)`) as string,
          },
        ]);
        // The values are below 1, where 16-bit floats are half a thousandth off at most.
        expect(await expectInStep(table, undefined, type === 'vector' ? 1e-6 : 2 ** -11)).toBe(50);
      }
    });

    test('another model: nothing happens until a backfill asks for it, and then every row is made again', async () => {
      const table = await create();
      await table.run("INSERT INTO documents SELECT i, 'row ' || i FROM generate_series(1, 40) i");
      await drain(table);
      const target = await install(table.pool, { modelVersion: 'second' });
      expect(await queueOf(table)).toEqual([]);
      const second = { ...table, target };
      expect(await runBackfill(second)).toBe(40);
      await drain(second);
      expect(await expectInStep(second)).toBe(40);
    });

    test('a user without rights on the queue may change the table, and is not kept waiting by a worker’s lease', async () => {
      const table = await create();
      await table.run('CREATE ROLE writer; GRANT SELECT, INSERT, UPDATE, DELETE ON documents TO writer');
      await table.run("BEGIN; SET LOCAL ROLE writer; INSERT INTO documents VALUES (1, 'one'); COMMIT");
      expect(await queueOf(table)).toHaveLength(1);
      await table.run('BEGIN; SET LOCAL ROLE writer; DELETE FROM documents; COMMIT');
      expect(await queueOf(table)).toEqual([]);
      await table.run('DROP OWNED BY writer; DROP ROLE writer');
    });

    test('applied twice it is the same, and removed it leaves the vectors or nothing', async () => {
      const table = await create();
      await table.run("INSERT INTO documents VALUES (1, 'one')");
      await install(table.pool, {});
      await drain(table);
      await expectInStep(table);
      const facts = `SELECT (SELECT count(*)::int FROM pg_trigger WHERE NOT tgisinternal) AS triggers,
      (SELECT count(*)::int FROM pg_namespace WHERE nspname = 'gteway_sync') AS schemas,
      (SELECT count(*)::int FROM pg_attribute WHERE attrelid = 'documents'::regclass AND attname LIKE 'embedding%' AND NOT attisdropped) AS columns`;
      expect(await table.run(facts)).toEqual([{ triggers: 4, schemas: 1, columns: 3 }]);
      for (const statement of removeSql(table.target)) await table.pool.query(statement);
      expect(await table.run(facts)).toEqual([{ triggers: 0, schemas: 0, columns: 3 }]);
      const again = await install(table.pool, {});
      expect(await runBackfill({ ...table, target: again })).toBe(0);
      for (const statement of removeSql(again, { dropColumns: true })) await table.pool.query(statement);
      expect(await table.run(facts)).toEqual([{ triggers: 0, schemas: 0, columns: 0 }]);
    });

    test('a million rows from one statement: claims and pages go along an index', { timeout: 300_000 }, async () => {
      const table = await create();
      await table.run("INSERT INTO documents SELECT i, 'row ' || i FROM generate_series(1, 1000000) i");
      await table.run('ANALYZE documents; ANALYZE gteway_sync.documents_queue');
      const plan = async (sql: string, values: unknown[]): Promise<string> => {
        const { rows } = await table.pool.query<{ 'QUERY PLAN': string }>(`EXPLAIN ${sql}`, values);
        return rows.map((row) => row['QUERY PLAN']).join('\n');
      };
      const { claim } = queueSql(table.target, 2);
      const token = '00000000-0000-0000-0000-000000000000';
      const claimPlan = await plan(claim, [token, 100, 100_000, 60, 'documents', table.target.config.modelVersion]);
      expect(claimPlan.match(/Index Scan using documents_queue_due/g)).toHaveLength(2);
      expect(claimPlan).not.toMatch(/Seq Scan on documents_queue/);
      const pagePlan = await plan(backfillSql(table.target, { after: true, failed: false }), [100, '500000']);
      expect(pagePlan).toMatch(/Index Scan using documents_pkey/);
      expect(pagePlan).not.toMatch(/Seq Scan on documents/);
      expect(await readStatus(table.pool, table.target)).toMatchObject({ pending: 1_000_000, running: 0, failed: 0 });
    });
  },
);
