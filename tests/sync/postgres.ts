/**
 * A PostgreSQL of the tests' own: a cluster in a temporary directory, reached over a Unix socket, with pgvector's types
 * where its source lies in the shared data. Nothing is installed: the server runs as an unprivileged user, because it
 * refuses root, and pgvector's script is run by hand with the path of the library that was built.
 */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { oneAtATime, root } from '../built-library.js';

/** Where initdb and postgres are, or why there are none. */
export function findPostgres(): { readonly bin: string } | { readonly missing: string } {
  const roots = '/usr/lib/postgresql';
  const versions = existsSync(roots) ? readdirSync(roots).sort((a, b) => Number(b) - Number(a)) : [];
  const path = (process.env.PATH ?? '').split(':');
  const bin = [...versions.map((version) => join(roots, version, 'bin')), ...path].find(
    (directory) => existsSync(join(directory, 'initdb')) && existsSync(join(directory, 'postgres')),
  );
  if (bin === undefined) return { missing: 'PostgreSQL is not installed (Debian: apt-get install postgresql-15)' };
  if (process.getuid?.() === 0 && serverUser() === undefined) return { missing: 'PostgreSQL refuses to run as root' };
  return { bin };
}

interface User {
  readonly uid: number;
  readonly gid: number;
}

/** Whom the server runs as where the tests run as root; undefined where there is nobody. */
function serverUser(): User | undefined {
  for (const name of ['postgres', 'nobody']) {
    const [uid, gid] = ['-u', '-g'].map((flag) => spawnSync('id', [flag, name], { encoding: 'utf8' }));
    if (uid?.status === 0 && gid?.status === 0) return { uid: Number(uid.stdout), gid: Number(gid.stdout) };
  }
  return undefined;
}

/** Milliseconds that a start may take: the first of a checkout builds pgvector. */
export const clusterPatience = 300_000;

export class Cluster {
  readonly directory: string;
  readonly #bin: string;
  readonly #user: User | undefined;
  #server: ChildProcess | undefined;
  #databases = 0;
  /** Why databases have no pgvector, if they have none. */
  readonly withoutVector: string | undefined;
  readonly #vectorScript: string | undefined;

  private constructor(bin: string, vector: VectorBuild) {
    this.#bin = bin;
    this.#user = process.getuid?.() === 0 ? serverUser() : undefined;
    this.directory = mkdtempSync(join(tmpdir(), 'gteway-pg-'));
    chmodSync(this.directory, 0o755);
    if (this.#user !== undefined) chownSync(this.directory, this.#user.uid, this.#user.gid);
    this.withoutVector = 'missing' in vector ? vector.missing : undefined;
    this.#vectorScript = 'script' in vector ? this.#scriptWithOwnLibrary(vector) : undefined;
  }

  /** The server may run as somebody who cannot read the checkout: the library goes where the cluster is. */
  #scriptWithOwnLibrary({ script, library }: { readonly script: string; readonly library: string }): string {
    const copy = join(this.directory, 'vector');
    execFileSync('install', ['-m', '755', library, `${copy}.so`]);
    return script.replaceAll('MODULE_PATHNAME', copy);
  }

  static async start(): Promise<Cluster> {
    const found = findPostgres();
    if ('missing' in found) throw new Error(found.missing);
    const cluster = new Cluster(found.bin, await buildVector());
    const data = join(cluster.directory, 'data');
    execFileSync(
      join(found.bin, 'initdb'),
      ['-D', data, '-U', 'tests', '--auth=trust', '-E', 'UTF8', '--locale=C', '-N'],
      {
        ...cluster.#user,
        cwd: cluster.directory,
        stdio: ['ignore', 'ignore', 'inherit'],
      },
    );
    await cluster.startServer();
    return cluster;
  }

  /** Starts the server again after `stopServer`. Resolves when it answers. */
  async startServer(): Promise<void> {
    const settings = {
      listen_addresses: '',
      unix_socket_directories: this.directory,
      fsync: 'off',
      synchronous_commit: 'off',
      full_page_writes: 'off',
      shared_buffers: '64MB',
      max_connections: '60',
      max_wal_size: '2GB',
      jit: 'off',
    };
    const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
    const server = spawn(join(this.#bin, 'postgres'), ['-D', join(this.directory, 'data'), ...flags], {
      ...this.#user,
      cwd: this.directory,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let log = '';
    server.stderr.on('data', (bytes: Buffer) => (log = (log + bytes.toString()).slice(-20_000)));
    this.#server = server;
    for (;;) {
      if (server.exitCode !== null) throw new Error(`postgres ended with ${server.exitCode}\n${log}`);
      const client = new pg.Client(this.connection('postgres'));
      try {
        await client.connect();
        await client.end();
        return;
      } catch {
        await sleep(20);
      }
    }
  }

  /** 'SIGINT': ends connections and stops. 'SIGQUIT': as a crash would. */
  async stopServer(signal: 'SIGINT' | 'SIGQUIT' = 'SIGINT'): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (server?.exitCode !== null) return;
    const ended = once(server, 'exit');
    server.kill(signal);
    await ended;
  }

  async close(): Promise<void> {
    await this.stopServer();
    rmSync(this.directory, { recursive: true, force: true });
  }

  connection(database: string): pg.ClientConfig {
    return { host: this.directory, port: 5432, user: 'tests', database };
  }

  /** Whom it runs as; undefined: whoever runs the tests. */
  get user(): { readonly uid: number; readonly gid: number } | undefined {
    return this.#user;
  }

  /** The file of the server's socket, for a proxy in front of it. */
  get socket(): string {
    return join(this.directory, '.s.PGSQL.5432');
  }

  url(database: string): string {
    return `postgres://tests@/${database}?host=${encodeURIComponent(this.directory)}`;
  }

  /** A new database, with pgvector's types in the schema `extensions` unless it is to be without. */
  async createDatabase({ vector = this.#vectorScript !== undefined } = {}): Promise<string> {
    const name = `db${++this.#databases}`;
    const admin = new pg.Client(this.connection('postgres'));
    await admin.connect();
    await admin.query(`CREATE DATABASE ${name}`);
    await admin.end();
    if (vector && this.#vectorScript !== undefined) {
      const client = new pg.Client(this.connection(name));
      await client.connect();
      await client.query('CREATE SCHEMA extensions');
      await client.query(`SET search_path = extensions; ${this.#vectorScript}`);
      await client.end();
    }
    return name;
  }
}

type VectorBuild = { readonly script: string; readonly library: string } | { readonly missing: string };

/** Builds pgvector once per checkout. In its script MODULE_PATHNAME is to become the library's path, without .so. */
async function buildVector(): Promise<VectorBuild> {
  const archive = join(root, '..', 'shared', 'vendor', 'pgvector.tar.gz');
  if (!existsSync(archive)) return { missing: 'the source of pgvector is not in the shared data beside the checkout' };
  const folder = join(root, '.cache', 'pgvector');
  mkdirSync(folder, { recursive: true });
  const library = join(folder, 'pgvector', 'vector.so');
  let failure: string | undefined;
  await oneAtATime(join(folder, 'lock'), () => {
    if (existsSync(library)) return;
    execFileSync('tar', ['xzf', archive, '-C', folder]);
    // Without its default -march=native, so that a checkout that is carried to another machine still works there.
    const made = spawnSync('make', ['-s', 'OPTFLAGS=', 'with_llvm=no'], {
      cwd: join(folder, 'pgvector'),
      encoding: 'utf8',
    });
    if (made.status !== 0) failure = `pgvector cannot be built here: ${made.stderr.trim().split('\n').at(-1) ?? ''}`;
  });
  if (failure !== undefined) return { missing: failure };
  const script = readFileSync(join(folder, 'pgvector', 'sql', 'vector.sql'), 'utf8');
  return { script: script.replaceAll(/^\\.*$/gm, ''), library };
}
