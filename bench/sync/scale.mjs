#!/usr/bin/env node
// gteway sync work on one to three hosts, each a network namespace with a share of a processor.   sudo node bench/sync/scale.mjs
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { startCluster } from './cluster.mjs';

const { values } = parseArgs({
  options: {
    rows: { type: 'string', default: '60000' },
    seconds: { type: 'string', default: '8' },
    // Of one processor, for each host: three of them and the database must fit the machine.
    share: { type: 'string', default: '0.25' },
  },
});
const rows = Number(values.rows);
const seconds = Number(values.seconds);
const share = Number(values.share);
const hosts = [1, 2, 3];
const main = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const bridge = 'gtwbr';
const ip = (/** @type {string} */ line) =>
  execFileSync('ip', line.split(' '), { stdio: ['ignore', 'ignore', 'ignore'] });
const quietly = (/** @type {() => unknown} */ work) => {
  try {
    work();
  } catch {
    // It was not there.
  }
};
const cgroup = (/** @type {number} */ host) =>
  `/sys/fs/cgroup/${existsSync('/sys/fs/cgroup/cpu') ? 'cpu/' : ''}gteway-bench-${host}`;

function makeHosts() {
  ip(`link add ${bridge} type bridge`);
  ip(`addr add 10.77.0.1/24 dev ${bridge}`);
  ip(`link set ${bridge} up`);
  for (const host of hosts) {
    ip(`netns add gtw${host}`);
    ip(`link add gtwv${host} type veth peer name eth0 netns gtw${host}`);
    ip(`link set gtwv${host} master ${bridge} up`);
    ip(`-n gtw${host} addr add 10.77.0.${host + 10}/24 dev eth0`);
    ip(`-n gtw${host} link set eth0 up`);
    mkdirSync(cgroup(host), { recursive: true });
    const version1 = existsSync(`${cgroup(host)}/cpu.cfs_quota_us`);
    if (version1) writeFileSync(`${cgroup(host)}/cpu.cfs_quota_us`, String(Math.round(share * 100_000)));
    else writeFileSync(`${cgroup(host)}/cpu.max`, `${Math.round(share * 100_000)} 100000`);
  }
}

function removeHosts() {
  for (const host of hosts) {
    quietly(() => ip(`netns del gtw${host}`));
    quietly(() => rmdirSync(cgroup(host)));
  }
  quietly(() => ip(`link del ${bridge}`));
}

function startWorker(/** @type {number} */ host) {
  const command = `echo $$ > ${cgroup(host)}/cgroup.procs; exec ip netns exec gtw${host} "$@"`;
  const worker = [
    'sync',
    'work',
    '--database',
    'postgres://bench@10.77.0.1/postgres',
    '--threads',
    '1',
    '--batch',
    '2000',
  ];
  return spawn('sh', ['-c', command, 'sh', process.execPath, main, ...worker], {
    stdio: ['ignore', 'ignore', 'ignore'],
  });
}

removeHosts();
makeHosts();
const cluster = await startCluster('10.77.0.1');
const pool = new pg.Pool({ connectionString: cluster.url });
// The server ends before a connection that is still closing.
pool.on('error', () => undefined);
try {
  const words = "ARRAY['harbour','market','engine','river','winter','garden','signal','letter','copper','window']";
  await pool.query('CREATE TABLE documents (id bigint PRIMARY KEY, body text)');
  execFileSync(
    process.execPath,
    [
      main,
      'sync',
      'init',
      '--apply',
      '--database',
      cluster.url,
      '--table',
      'documents',
      '--text',
      'body',
      '--model',
      'gteway-mini',
    ],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  );
  await pool.query(
    `INSERT INTO documents SELECT i, (SELECT string_agg((${words})[1 + (i * 7 + j * j * 3 + i / (j + 1)) % 10], ' ') FROM generate_series(1, 20) j) || ' ' || i
     FROM generate_series(1, $1::int) i`,
    [rows],
  );
  const facts = async () => {
    const {
      rows: [row],
    } = await pool.query(
      `SELECT (SELECT count(*) FROM gteway_sync.documents_queue)::int AS left, pg_current_wal_lsn() - '0/0' AS wal,
         (SELECT xact_commit FROM pg_stat_database WHERE datname = 'postgres')::int AS commits`,
    );
    return {
      left: row.left,
      wal: Number(row.wal),
      commits: row.commits,
      cpu: cluster.cpuSeconds(),
      time: performance.now(),
    };
  };
  console.log(
    `${rows.toLocaleString('en')} rows of 20 words, gteway-mini, each host ${share} of a processor, ${seconds} s each`,
  );
  console.log('| workers | rows/s | of so many times one | server: CPU s, transactions, MB of WAL per 1,000 rows |');
  console.log('| ---: | ---: | ---: | --- |');
  let one = 0;
  for (const count of hosts) {
    const workers = hosts.slice(0, count).map(startWorker);
    for (;;) {
      const {
        rows: [{ working }],
      } = await pool.query(
        "SELECT count(*)::int AS working FROM gteway_sync.worker WHERE seen_at > now() - interval '30 s'",
      );
      const {
        rows: [{ held }],
      } = await pool.query('SELECT count(DISTINCT token)::int AS held FROM gteway_sync.documents_queue');
      if (working === count && held >= count) break;
      await sleep(100);
    }
    await sleep(2000);
    const begin = await facts();
    await sleep(seconds * 1000);
    const end = await facts();
    const done = begin.left - end.left;
    const rate = done / ((end.time - begin.time) / 1000);
    if (count === 1) one = rate;
    const per = (/** @type {number} */ value) => ((value / done) * 1000).toFixed(2);
    console.log(
      `| ${count} | ${rate.toFixed(0)} | ${((rate / (one * count)) * 100).toFixed(0)} % | ` +
        `${per(end.cpu - begin.cpu)}, ${per(end.commits - begin.commits)}, ${per((end.wal - begin.wal) / 1e6)} |`,
    );
    await Promise.all(
      workers.map(async (worker) => {
        const ended = once(worker, 'exit');
        worker.kill('SIGTERM');
        await ended;
      }),
    );
  }
} finally {
  await pool.end();
  await cluster.stop();
  removeHosts();
}
