#!/usr/bin/env node
// The queue of gteway sync beside pg-boss and graphile-worker.   npm ci --prefix bench/sync && node bench/sync/queues.mjs
import { parseArgs } from 'node:util';
import { Logger, run } from 'graphile-worker';
import pg from 'pg';
import PgBoss from 'pg-boss';
import { findTarget } from '../../dist/sync/catalog.js';
import { readSyncConfig } from '../../dist/sync/config.js';
import { queueSql } from '../../dist/sync/queue-sql.js';
import { installSql } from '../../dist/sync/schema-sql.js';
import { startCluster } from './cluster.mjs';

const { values } = parseArgs({
  options: {
    rows: { type: 'string', default: '20000' },
    seconds: { type: 'string', default: '3' },
    // graphile-worker takes minutes to queue a million.
    queues: { type: 'string', default: 'gteway,pg-boss,graphile-worker' },
  },
});
const rows = Number(values.rows);
const seconds = Number(values.seconds);
const batch = 100;
const workers = 4;

const cluster = await startCluster();
const pool = new pg.Pool({ connectionString: cluster.url, max: workers + 2 });
// The server ends before the connections that the libraries still hold.
pool.on('connect', (client) => client.on('error', () => undefined));
pool.on('error', () => undefined);
const query = async (/** @type {string} */ sql, /** @type {unknown[]} */ values = []) =>
  (await pool.query(sql, values)).rows;

/**
 * Takes and ends jobs for some seconds, by so many at once; how many there were, and what the server computed for it.
 *
 * @param {(deadline: number) => Promise<number>} work
 */
async function drain(work) {
  const cpu = cluster.cpuSeconds();
  const begin = performance.now();
  const counts = await Promise.all(Array.from({ length: workers }, () => work(begin + seconds * 1000)));
  const jobs = counts.reduce((sum, count) => sum + count, 0);
  const elapsed = (performance.now() - begin) / 1000;
  return { rate: jobs / elapsed, load: ((cluster.cpuSeconds() - cpu) / jobs) * 1e6 };
}

async function timed(/** @type {() => Promise<unknown>} */ work) {
  const begin = performance.now();
  await work();
  return (performance.now() - begin) / 1000;
}

const results = [];

async function gteway() {
  await query('CREATE TABLE documents (id bigint PRIMARY KEY, title text)');
  const config = readSyncConfig('bench', { table: 'documents', text: 'title', model: 'gteway-mini', type: 'real[]' });
  const target = await findTarget(pool, config, 224);
  for (const statement of installSql(target)) await query(statement);
  const put = await timed(() =>
    query("INSERT INTO documents SELECT i, 'row ' || i FROM generate_series(1, $1::int) i", [rows]),
  );
  const again = await timed(() => query('UPDATE documents SET id = id'));
  const [{ jobs }] = await query('SELECT count(*)::int AS jobs FROM gteway_sync.documents_queue');
  await query('ANALYZE');
  const sql = queueSql(target, 2);
  const token = '00000000-0000-4000-8000-000000000000';
  const drained = await drain(async (deadline) => {
    let done = 0;
    while (performance.now() < deadline) {
      const taken = await query(sql.claim, [token, batch, 1e9, 60, 'documents', 'gteway-mini']);
      await query(sql.end, [taken.map(({ id }) => id)]);
      done += taken.length;
    }
    return done;
  });
  results.push({ queue: 'gteway sync', put: rows / put, again: rows / again, jobs, ...drained });
}

async function pgBoss() {
  const boss = new PgBoss({ connectionString: cluster.url, supervise: false, schedule: false });
  boss.on('error', (error) => console.error(error));
  await boss.start();
  // `short`: a key is queued once.
  await boss.createQueue('q', { name: 'q', policy: 'short' });
  const insert = `INSERT INTO pgboss.job (name, data, singleton_key, policy)
    SELECT 'q', jsonb_build_object('id', i), i::text, 'short' FROM generate_series(1, $1::int) i ON CONFLICT DO NOTHING`;
  const put = await timed(() => query(insert, [rows]));
  const again = await timed(() => query(insert, [rows]));
  const [{ jobs }] = await query("SELECT count(*)::int AS jobs FROM pgboss.job WHERE name = 'q'");
  await query('ANALYZE');
  const drained = await drain(async (deadline) => {
    let done = 0;
    while (performance.now() < deadline) {
      const taken = await boss.fetch('q', { batchSize: batch });
      await boss.complete(
        'q',
        taken.map(({ id }) => id),
      );
      done += taken.length;
    }
    return done;
  });
  await boss.stop({ graceful: false });
  results.push({ queue: 'pg-boss 10.4.2', put: rows / put, again: rows / again, jobs, ...drained });
}

async function graphile() {
  const silent = new Logger(() => () => undefined);
  let done = 0;
  const options = {
    pgPool: pool,
    logger: silent,
    noHandleSignals: true,
    concurrency: workers,
    pollInterval: 100,
    taskList: { embed: async () => void done++ },
  };
  // Migrates.
  await (await run({ ...options, taskList: { none: async () => undefined } })).stop();
  const insert = `SELECT count(*) FROM graphile_worker.add_jobs(ARRAY(
    SELECT ROW('embed', json_build_object('id', i), NULL, NULL, NULL, i::text, NULL, NULL)::graphile_worker.job_spec
    FROM generate_series(1, $1::int) i), false)`;
  const put = await timed(() => query(insert, [rows]));
  const again = await timed(() => query(insert, [rows]));
  const [{ jobs }] = await query('SELECT count(*)::int AS jobs FROM graphile_worker.jobs');
  await query('ANALYZE');
  const cpu = cluster.cpuSeconds();
  const begin = performance.now();
  const runner = await run(options);
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  const jobsDone = done;
  const elapsed = (performance.now() - begin) / 1000;
  const load = ((cluster.cpuSeconds() - cpu) / jobsDone) * 1e6;
  await runner.stop();
  results.push({
    queue: 'graphile-worker 0.16.6',
    put: rows / put,
    again: rows / again,
    jobs,
    rate: jobsDone / elapsed,
    load,
  });
}

try {
  const known = { gteway, 'pg-boss': pgBoss, 'graphile-worker': graphile };
  for (const name of values.queues.split(',')) await known[name]();
} finally {
  await pool.end();
  await cluster.stop();
}
const whole = (/** @type {number} */ value) => Math.round(value).toLocaleString('en');
console.log(
  `${whole(rows)} keys by one statement, then again; ${workers} takers, batches of ${batch} where there are batches`,
);
console.log('| queue | queued/s | again/s | jobs after both | taken and ended/s | server µs of CPU per job |');
console.log('| --- | ---: | ---: | ---: | ---: | ---: |');
for (const { queue, put, again, jobs, rate, load } of results) {
  console.log(`| ${queue} | ${whole(put)} | ${whole(again)} | ${whole(jobs)} | ${whole(rate)} | ${whole(load)} |`);
}
