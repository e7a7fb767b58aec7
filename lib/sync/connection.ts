/** The driver, which only those who synchronise have installed, and which of its errors pass. */
import type { ClientBase, ClientConfig, Pool, PoolClient, PoolConfig } from 'pg';
import { SyncError } from './sync-error.js';

export type { Pool, PoolClient };

/**
 * What every connection asks of the server: values become the same text on every host, whatever its settings, because
 * hashes are made of it.
 */
const sessionSettings =
  "SET datestyle = 'ISO, MDY'; SET timezone = 'UTC'; SET intervalstyle = 'postgres'; SET extra_float_digits = 1; " +
  "SET bytea_output = 'hex'; SET search_path = pg_catalog, pg_temp";

/**
 * A worker that fell silent in a transaction (its machine or the network is gone) holds locks, and nobody could take its
 * jobs, until the server gives that transaction up: as long as we would wait for the server.
 */
const idleTimeout = (milliseconds: number): string => `SET idle_in_transaction_session_timeout = ${milliseconds}`;

/**
 * A user's transaction that waits for a row of ours, while we wait for one of theirs, must not be the one that is given
 * up: PostgreSQL looks for such circles after deadlock_timeout, and we stop waiting before that.
 */
const lockTimeout =
  "SELECT set_config('lock_timeout', (setting::bigint / 2)::text, false) FROM pg_settings WHERE name = 'deadlock_timeout'";

async function driver(): Promise<(typeof import('pg'))['default']> {
  try {
    const { default: pg } = await import('pg');
    return pg;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw cause;
    throw new SyncError('gteway sync needs the PostgreSQL driver: npm install pg', { cause });
  }
}

export interface ConnectionOptions {
  /** A URL; without, libpq's variables PGHOST, PGDATABASE and so on. */
  readonly url: string | undefined;
  /** Milliseconds that an answer may take before the connection counts as lost. */
  readonly patience?: number;
}

const usualPatience = 60_000;

function clientConfig({ url, patience = usualPatience }: ConnectionOptions): ClientConfig {
  return {
    ...(url === undefined ? {} : { connectionString: url }),
    application_name: 'gteway sync',
    keepAlive: true,
    connectionTimeoutMillis: Math.min(patience, 10_000),
    query_timeout: patience,
  };
}

export async function openPool(options: ConnectionOptions, max: number): Promise<Pool> {
  const pg = await driver();
  const prepare = async (client: ClientBase): Promise<void> => {
    await client.query(sessionSettings);
    await client.query(idleTimeout(options.patience ?? usualPatience));
    await client.query(lockTimeout);
  };
  const config: PoolConfig = {
    ...clientConfig(options),
    max,
    // Its type says void, but the pool awaits it before it hands the connection out.
    // eslint-disable-next-line @typescript-eslint/no-misused-promises
    onConnect: prepare,
  };
  const pool = new pg.Pool(config);
  // An idle connection that breaks is replaced by the next query, which is where it matters.
  pool.on('error', () => undefined);
  return pool;
}

/** Runs `work` in a transaction, which is rolled back when it throws. A connection that broke is thrown away. */
export async function inTransaction<Result>(
  pool: Pool,
  work: (client: PoolClient) => Promise<Result>,
): Promise<Result> {
  const client = await pool.connect();
  let broken: Error | undefined;
  // Between queries nobody else listens, and an error without a listener ends the process.
  const onError = (error: Error): void => void (broken = error);
  client.on('error', onError);
  try {
    await client.query('BEGIN');
    const result = await work(client);
    await client.query('COMMIT');
    return result;
  } catch (error) {
    await client.query('ROLLBACK').catch((failure: unknown) => (broken = failure as Error));
    throw error;
  } finally {
    client.off('error', onError);
    client.release(broken);
  }
}

const passingCodes = new Set([
  '40001', // serialization_failure
  '40P01', // deadlock_detected
  '55P03', // lock_not_available: lock_timeout
  '57014', // query_canceled: statement_timeout
  '57P01', // admin_shutdown
  '57P02', // crash_shutdown
  '57P03', // cannot_connect_now: starting up
  '57P05', // idle_session_timeout
  '25P03', // idle_in_transaction_session_timeout
  '53300', // too_many_connections
  '53200', // out_of_memory
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EAI_AGAIN',
  'ENOENT', // the socket's file while the server restarts
]);

/** Whether trying again later may work: the database is away, or somebody else held a lock. */
export function isPassing(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = (error as { code?: unknown }).code;
  if (typeof code === 'string') return passingCodes.has(code) || code.startsWith('08');
  if (error instanceof AggregateError) return error.errors.every(isPassing);
  // The driver's own, which have no code.
  return /connection (?:terminated|timeout)|timeout exceeded|query read timeout|not queryable|closed the connection/i.test(
    error.message,
  );
}
