/** A PostgreSQL for a bench: durable as one in earnest, in a temporary directory, and gone with the process. */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';

/**
 * @param {string} listen addresses, separated by commas; '' for the socket alone
 * @returns {Promise<{ url: string, directory: string, cpuSeconds: () => number, stop: () => Promise<void> }>}
 */
export async function startCluster(listen = '') {
  const roots = '/usr/lib/postgresql';
  const version = existsSync(roots) ? readdirSync(roots).sort((a, b) => Number(b) - Number(a))[0] : undefined;
  if (version === undefined) throw new Error(`no PostgreSQL in ${roots}: apt-get install postgresql`);
  const bin = join(roots, version, 'bin');
  const directory = mkdtempSync(join(tmpdir(), 'gteway-bench-pg-'));
  // The server refuses root.
  const [uid, gid] = ['-u', '-g'].map((flag) =>
    Number(spawnSync('id', [flag, 'postgres'], { encoding: 'utf8' }).stdout),
  );
  const user = process.getuid?.() === 0 ? { uid, gid } : {};
  if (user.uid !== undefined) chownSync(directory, uid, gid);
  chmodSync(directory, 0o755);
  const data = join(directory, 'data');
  const options = { ...user, cwd: directory, stdio: /** @type {const} */ (['ignore', 'ignore', 'inherit']) };
  execFileSync(join(bin, 'initdb'), ['-D', data, '-U', 'bench', '--auth=trust', '-E', 'UTF8', '--locale=C'], options);
  if (listen !== '') execFileSync('sh', ['-c', `echo 'host all all samenet trust' >> ${data}/pg_hba.conf`], options);
  const flags = [
    'shared_buffers=512MB',
    'max_connections=100',
    'max_wal_size=4GB',
    `listen_addresses=${listen}`,
    `unix_socket_directories=${directory}`,
  ];
  const server = spawn(join(bin, 'postgres'), ['-D', data, ...flags.flatMap((flag) => ['-c', flag])], {
    ...user,
    cwd: directory,
    stdio: 'ignore',
  });
  const url = `postgres://bench@/postgres?host=${encodeURIComponent(directory)}`;
  for (;;) {
    const client = new pg.Client(url);
    try {
      await client.connect();
      await client.end();
      break;
    } catch {
      if (server.exitCode !== null) throw new Error(`postgres ended with ${server.exitCode}`);
      await sleep(50);
    }
  }
  return {
    url,
    directory,
    cpuSeconds: () => cpuSeconds(server.pid ?? 0),
    async stop() {
      const ended = once(server, 'exit');
      server.kill('SIGINT');
      await ended;
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** Of the server and its connections, those that have ended included: what the kernel has counted, in seconds. */
function cpuSeconds(pid) {
  const stat = (/** @type {number | string} */ id) =>
    spawnSync('cat', [`/proc/${id}/stat`], { encoding: 'utf8' }).stdout;
  const ticks = (/** @type {string} */ text, /** @type {number[]} */ fields) => {
    const values = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return fields.reduce((sum, field) => sum + Number(values[field - 3] ?? 0), 0);
  };
  // utime, stime and, of children that were waited for, cutime and cstime.
  let sum = ticks(stat(pid), [14, 15, 16, 17]);
  const children = spawnSync('pgrep', ['-P', String(pid)], { encoding: 'utf8' })
    .stdout.split('\n')
    .filter(Boolean);
  for (const child of children) sum += ticks(stat(child), [14, 15]);
  return sum / 100;
}
