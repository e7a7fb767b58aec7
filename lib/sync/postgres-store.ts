/** The queue in PostgreSQL: each promise of store.ts as statements. */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { halfvecText, vectorText } from '../vectors/pgvector-text.js';
import type { Target } from './catalog.js';
import { inTransaction, type Pool, type PoolClient } from './connection.js';
import { attemptsInCompany } from './decisions.js';
import { type QueueSql, queueSql } from './queue-sql.js';
import type { ChunkVector, Claim, ClaimLimits, FinishCounts, Job, Outcome, Source, Store } from './store.js';

interface SourceRow {
  readonly id: string;
  readonly present: boolean;
  readonly text: string;
  readonly hash: string;
  readonly current: boolean;
}

type Write = Extract<Outcome, { kind: 'write' }>;

/** Rows of one INSERT: their vectors are some megabytes of text. */
const chunksAtOnce = 500;

/** Seconds after which a job whose row somebody has locked is tried again. */
const lockedDelay = 1;

/**
 * Seconds between tries to finish jobs that somebody has locked. Most locks are another worker's, whose claim looked at the
 * job while this one took it: they last as long as that statement. Who holds one for longer changes the row, and the job
 * with it.
 */
const usualLockedWaits: readonly number[] = [0.02, 0.1, 0.4, 1, 2];

export class PostgresStore implements Store {
  readonly #pool: Pool;
  readonly #target: Target;
  readonly #sql: QueueSql;
  /** Seconds. */
  readonly #lease: number;
  readonly #lockedWaits: readonly number[];

  constructor(pool: Pool, target: Target, lease: number, lockedWaits = usualLockedWaits) {
    this.#pool = pool;
    this.#target = target;
    this.#sql = queueSql(target, attemptsInCompany);
    this.#lease = lease;
    this.#lockedWaits = lockedWaits;
  }

  async claim({ rows, bytes }: ClaimLimits): Promise<Claim | undefined> {
    const { name, modelVersion } = this.#target.config;
    const token = randomUUID();
    const claimed = await this.#pool.query<Job>(this.#sql.claim, [token, rows, bytes, this.#lease, name, modelVersion]);
    return claimed.rows.length === 0 ? undefined : { token, jobs: claimed.rows };
  }

  async read({ token, jobs }: Claim): Promise<readonly Source[]> {
    const ids = jobs.map(({ id }) => id);
    const { rows } = await this.#pool.query<SourceRow>(this.#sql.read, [ids, token, this.#target.config.name]);
    return rows.map(({ id, present, text, hash, current }) => ({
      id,
      row: present ? { text, hash, isCurrent: current } : undefined,
    }));
  }

  async extend({ token, jobs }: Claim): Promise<number> {
    const result = await this.#pool.query(this.#sql.extend, [jobs.map(({ id }) => id), token, this.#lease]);
    return result.rowCount ?? 0;
  }

  async finish(claim: Claim, outcomes: readonly Outcome[]): Promise<FinishCounts> {
    let counts = await this.#finishUnlocked(claim, outcomes);
    for (const seconds of this.#lockedWaits) {
      if (counts.lost === 0) break;
      const left = new Set(await this.#stillHeld(claim));
      if (left.size === 0) break;
      await sleep(seconds * 1000);
      const more = await this.#finishUnlocked(
        claim,
        outcomes.filter(({ id }) => left.has(id)),
      );
      counts = {
        written: counts.written + more.written,
        settled: counts.settled + more.settled,
        failed: counts.failed + more.failed,
        released: counts.released + more.released,
        lost: counts.lost - left.size + more.lost,
      };
    }
    return counts;
  }

  async #stillHeld({ token, jobs }: Claim): Promise<string[]> {
    const { rows } = await this.#pool.query<{ id: string }>(this.#sql.held, [jobs.map(({ id }) => id), token]);
    return rows.map(({ id }) => id);
  }

  /** One transaction. What is locked counts as lost. */
  async #finishUnlocked(claim: Claim, outcomes: readonly Outcome[]): Promise<FinishCounts> {
    const { config } = this.#target;
    return inTransaction(this.#pool, async (client) => {
      const idsOf = async (sql: string, values: unknown[]): Promise<Set<string>> => {
        const { rows } = await client.query<{ id: string }>(sql, values);
        return new Set(rows.map(({ id }) => id));
      };
      const held = await idsOf(this.#sql.hold, [outcomes.map(({ id }) => id), claim.token]);
      const mine = outcomes.filter(({ id }) => held.has(id));
      const of = <Kind extends Outcome['kind']>(kind: Kind): Extract<Outcome, { kind: Kind }>[] =>
        mine.filter((outcome): outcome is Extract<Outcome, { kind: Kind }> => outcome.kind === kind);

      const writes = of('write');
      const failures = of('fail');
      const about = [...writes, ...failures];
      const locked =
        about.length === 0
          ? new Set<string>()
          : await idsOf(this.#sql.lockRows, [about.map(({ id }) => id), about.map(({ hash }) => hash), config.name]);
      const written = writes.filter(({ id }) => locked.has(id));
      if (written.length > 0) {
        await this.#write(client, written);
        await client.query(this.#sql.end, [written.map(({ id }) => id)]);
      }

      const settling = of('settled');
      const settled =
        settling.length === 0
          ? new Set<string>()
          : await idsOf(this.#sql.settle, [settling.map(({ id }) => id), config.name]);

      const failed = failures.filter(({ id }) => locked.has(id));
      if (failed.length > 0) {
        await client.query(this.#sql.fail, [
          failed.map(({ id }) => id),
          failed.map(({ hash }) => hash),
          failed.map(({ reason }) => reason),
        ]);
      }

      const released = [
        ...of('release'),
        // Locked by somebody, or changed while it was embedded without that the job became a new one.
        ...about.filter(({ id }) => !locked.has(id)).map(({ id }) => again(id, lockedDelay)),
        ...settling.filter(({ id }) => !settled.has(id)).map(({ id }) => again(id, 0)),
      ];
      if (released.length > 0) {
        await client.query(this.#sql.release, [
          released.map(({ id }) => id),
          released.map(({ delay }) => delay),
          released.map(({ undo }) => Number(undo)),
          released.map(({ reason }) => reason ?? null),
        ]);
      }
      return {
        written: written.length,
        settled: settled.size,
        failed: failed.length,
        released: released.length,
        lost: outcomes.length - mine.length,
      };
    });
  }

  /** What was made of each text takes the place of what is there, and the marks say so. */
  async #write(client: PoolClient, written: readonly Write[]): Promise<void> {
    const ids = written.map(({ id }) => id);
    const { chunks: sql } = this.#sql;
    if (sql !== undefined) {
      await client.query(sql.drop, [ids]);
      const rows = written.flatMap(({ id, made }) => chunksOf(made).map((chunk, place) => ({ id, place, chunk })));
      for (let first = 0; first < rows.length; first += chunksAtOnce) {
        const some = rows.slice(first, first + chunksAtOnce);
        await client.query(sql.add, [
          some.map(({ id }) => id),
          some.map(({ place }) => place),
          some.map(({ chunk }) => chunk.start),
          some.map(({ chunk }) => chunk.end),
          some.map(({ chunk }) => chunk.tokens),
          some.map(({ id, chunk }) => this.#vectorText(chunk.vector, id)),
          ...(this.#target.config.chunks?.text === true ? [some.map(({ chunk }) => chunk.text)] : []),
        ]);
      }
    }
    // The trigger of this statement finds the chunks that there should be.
    await client.query(this.#sql.write, [
      ids,
      written.map(({ hash }) => hash),
      written.map(({ id, made }) => (sql === undefined ? this.#columnText(made, id) : String(chunksOf(made).length))),
      this.#target.config.modelVersion,
    ]);
  }

  #columnText(made: Write['made'], id: string): string | null {
    if (made === undefined) return null;
    if (made instanceof Float32Array) return this.#vectorText(made, id);
    throw new Error(`job ${id} has chunks, and its table a column`);
  }

  #vectorText(vector: Float32Array, id: string): string {
    const { vectorSchema, vectorType } = this.#target;
    // A real[]: with braces, and not pgvector's.
    if (vectorSchema === undefined) return `{${Array.from(vector, String).join(',')}}`;
    const where = `the vector of job ${id}`;
    return vectorType.endsWith('halfvec') ? halfvecText(vector, where) : vectorText(vector, where);
  }
}

function chunksOf(made: Write['made']): readonly ChunkVector[] {
  if (made instanceof Float32Array) throw new Error('a vector of a whole text, and no chunks');
  return made ?? [];
}

function again(id: string, delay: number): Extract<Outcome, { kind: 'release' }> {
  return { kind: 'release', id, delay, undo: true };
}
