/** Poolers in transaction mode are refused: by what they do to two connections, and with PgBouncer where it is installed. */
import { spawn } from 'node:child_process';
import { chownSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { openPool, type Pool } from '../../lib/sync/connection.js';
import { refuseSharedServers } from '../../lib/sync/pooler.js';
import { Cluster, clusterPatience, findPostgres } from './postgres.js';
import { untilTrue } from './sync-fixture.js';

/** Connections whose n-th statement, of all together, runs in the server process that `lend` says. */
function connections(
  lend: (connection: number, statement: number) => number,
): Pick<Pool, 'connect'> & { open: number } {
  let [made, statements] = [0, 0];
  const pool = {
    open: 0,
    connect() {
      const connection = made++;
      pool.open++;
      const query = () => Promise.resolve({ rows: [{ pid: lend(connection, statements++) }] });
      return Promise.resolve({ query, release: () => pool.open-- });
    },
  };
  return pool as unknown as Pick<Pool, 'connect'> & { open: number };
}

test.each([
  ['the one that was free last', () => 7],
  ['one after the other', (_: number, statement: number) => statement % 2],
  ['one after the other of three', (_: number, statement: number) => statement % 3],
  ['another one after a while', (connection: number, statement: number) => (statement < 9 ? connection : 5)],
])('a pooler that lends %s is refused', async (_, lend) => {
  const pool = connections(lend);
  await expect(refuseSharedServers(pool)).rejects.toThrow('pooler in transaction mode');
  expect(pool.open).toBe(0);
});

test('connections with a process each are not', async () => {
  const pool = connections((connection) => connection);
  await refuseSharedServers(pool);
  expect(pool.open).toBe(0);
});

const postgres = findPostgres();
const bouncer = ['/usr/sbin/pgbouncer', '/usr/bin/pgbouncer'].find((path) => existsSync(path));
const missing =
  'missing' in postgres ? postgres.missing : bouncer === undefined ? 'PgBouncer is not installed' : undefined;

describe.skipIf(missing !== undefined)(`PgBouncer${missing === undefined ? '' : ` (skipped: ${missing})`}`, () => {
  let cluster: Cluster;
  beforeAll(async () => {
    cluster = await Cluster.start();
  }, clusterPatience);
  afterAll(() => cluster.close());

  test.each([
    ['transaction', true],
    ['session', false],
  ])('in %s mode', async (mode, isRefused) => {
    const database = await cluster.createDatabase({ vector: false });
    const directory = mkdtempSync(join(tmpdir(), 'gteway-bouncer-'));
    const ini = join(directory, 'bouncer.ini');
    writeFileSync(
      ini,
      `[databases]\n${database} = host=${cluster.directory} user=tests\n[pgbouncer]\npool_mode = ${mode}\nlisten_addr =\n` +
        `unix_socket_dir = ${directory}\nauth_type = any\ndefault_pool_size = 4\nlogfile = ${directory}/log\n`,
    );
    const user = cluster.user;
    if (user !== undefined) for (const path of [directory, ini]) chownSync(path, user.uid, user.gid);
    const child = spawn(bouncer ?? '', [ini], { ...user, cwd: directory, stdio: 'ignore' });
    onTestFinished(() => {
      child.kill('SIGKILL');
      rmSync(directory, { recursive: true, force: true });
    });
    await untilTrue('the socket', () => existsSync(join(directory, '.s.PGSQL.6432')));
    const url = `postgres://tests@/${database}?host=${encodeURIComponent(directory)}&port=6432`;
    const pool = await openPool({ url }, 2);
    try {
      const refused = expect(refuseSharedServers(pool));
      if (isRefused) await refused.rejects.toThrow('pooler in transaction mode');
      else await refused.resolves.toBeUndefined();
    } finally {
      await pool.end();
    }
  });
});
