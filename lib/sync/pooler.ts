/** Poolers that lend a server process for a transaction only: what a connection set is then another one's. */
import type { Pool } from './connection.js';
import { SyncError } from './sync-error.js';

/**
 * Throws SyncError where two connections that are open at once do not keep a server process each: their settings, which
 * hashes and waiting depend on, would not be theirs. Twice each in a row, so that processes that are lent in turns show,
 * too; takes two connections.
 */
export async function refuseSharedServers(pool: Pick<Pool, 'connect'>): Promise<void> {
  const first = await pool.connect();
  try {
    const second = await pool.connect();
    try {
      const processes = [first, second].map(() => new Set<number>());
      for (let round = 0; round < 3; round++) {
        for (const [i, client] of [first, first, second, second].entries()) {
          const { rows } = await client.query<{ pid: number }>('SELECT pg_catalog.pg_backend_pid() AS pid');
          processes[Math.floor(i / 2)]?.add(rows[0]?.pid ?? NaN);
        }
      }
      const all = processes.flatMap((own) => [...own]);
      if (all.length === 2 && new Set(all).size === 2) return;
      throw new SyncError(
        'the database is behind a pooler in transaction mode (PgBouncer, Supavisor), where settings of a connection are lost: ' +
          'connect to the server itself, or to a pooler in session mode (with Supabase port 5432 instead of 6543)',
      );
    } finally {
      second.release();
    }
  } finally {
    first.release();
  }
}
