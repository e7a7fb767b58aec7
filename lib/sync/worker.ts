/**
 * A worker: lanes that take turns at the session, so that one embeds while another talks to the database; a heartbeat that
 * keeps leases alive and tells the database how fast it goes; patience while the database is away.
 */
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import type { Target } from './catalog.js';
import { isPassing, type Pool } from './connection.js';
import { BatchSize } from './decisions.js';
import { type BatchReport, type Embed, workOnBatch } from './lane.js';
import { embeddingOf, type SyncSession } from './embedding.js';
import { PostgresStore } from './postgres-store.js';
import { readVersion } from './registry.js';
import { sqlNames } from './schema-sql.js';
import type { Claim, Outcome, Store } from './store.js';
import { SyncError } from './sync-error.js';

export interface WorkerOptions {
  /** Tokens in a batch. */
  readonly tokens: number;
  /** Batches under way at once. */
  readonly lanes: number;
  /** Seconds after which another worker may take what this one holds, unless it says that it is alive. */
  readonly lease: number;
  /** Seconds between two looks at an empty queue. */
  readonly poll: number;
  /** Return when nothing is due, instead of waiting for more. */
  readonly once: boolean;
}

/** What happens, for those who print or count it. */
export interface WorkerEvents {
  batch?(report: BatchReport, seconds: number): void;
  /** The database cannot be used; tried again in so many seconds. */
  away?(error: Error, seconds: number): void;
  back?(): void;
}

export class SyncWorker {
  readonly #pool: Pool;
  readonly #target: Target;
  readonly #options: WorkerOptions;
  readonly #events: WorkerEvents;
  readonly #store: Store;
  readonly #embed: Embed;
  readonly #size: BatchSize;
  readonly #held = new Set<Claim>();
  readonly #id = randomUUID();
  readonly #stop = new AbortController();
  #failure: Error | undefined;
  #rows = 0;
  #isAway = false;

  constructor(pool: Pool, target: Target, session: SyncSession, options: WorkerOptions, events: WorkerEvents = {}) {
    this.#pool = pool;
    this.#target = target;
    this.#options = options;
    this.#events = events;
    this.#store = new PostgresStore(pool, target, options.lease);
    this.#embed = embeddingOf(session, target);
    this.#size = new BatchSize(options.tokens);
  }

  /** Works until `stop`, or with `once` until nothing is due. Rejects with what cannot pass. */
  async run(): Promise<void> {
    const beat = this.#beat();
    await Promise.all(Array.from({ length: this.#options.lanes }, () => this.#lane()));
    this.stop();
    await beat;
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Embeds and writes what is being embedded, gives the rest back, and ends. */
  stop(): void {
    this.#stop.abort();
  }

  get #isStopping(): boolean {
    return this.#stop.signal.aborted;
  }

  async #lane(): Promise<void> {
    let misses = 0;
    while (!this.#isStopping) {
      try {
        const begin = performance.now();
        const report = await workOnBatch({
          store: patient(this.#store, this.#options.lease),
          embed: this.#embed,
          size: this.#size,
          held: this.#held,
          isStopping: () => this.#isStopping,
        });
        misses = 0;
        if (this.#isAway) this.#events.back?.();
        this.#isAway = false;
        if (report === undefined) {
          if (this.#options.once) return;
          await this.#pause(this.#options.poll);
          continue;
        }
        this.#rows += report.written;
        this.#events.batch?.(report, (performance.now() - begin) / 1000);
      } catch (error) {
        if (!isPassing(error)) {
          this.#fail(error);
          return;
        }
        const seconds = backoff(misses++);
        this.#isAway = true;
        this.#events.away?.(error as Error, seconds);
        await this.#pause(seconds);
      }
    }
  }

  /** The first thing that cannot pass ends the whole worker. */
  #fail(error: unknown): void {
    this.#failure ??= error as Error;
    this.stop();
  }

  async #beat(): Promise<void> {
    const seconds = Math.min(5, this.#options.lease / 4);
    const { workers } = sqlNames(this.#target);
    const { name, modelVersion } = this.#target.config;
    let rows = 0;
    let since = performance.now();
    while (!this.#isStopping) {
      try {
        const wanted = await readVersion(this.#pool, this.#target.config);
        if (wanted === undefined) throw new SyncError(`the synchronisation '${name}' was removed`);
        if (wanted !== modelVersion) {
          throw new SyncError(
            `'${name}' now wants vectors of ${wanted}; this worker makes those of ${modelVersion}: start it again`,
          );
        }
        for (const claim of this.#held) await this.#store.extend(claim);
        const rate = (this.#rows - rows) / Math.max(0.001, (performance.now() - since) / 1000);
        [rows, since] = [this.#rows, performance.now()];
        await this.#pool.query(
          `INSERT INTO ${workers} (id, sync, host, rows_done, rows_per_second) VALUES ($1, $2, $3, $4, $5)
           ON CONFLICT (id) DO UPDATE SET seen_at = clock_timestamp(), rows_done = $4, rows_per_second = $5`,
          [this.#id, name, hostname(), this.#rows, rate],
        );
      } catch (error) {
        // The lanes tell of a database that is away.
        if (!isPassing(error)) this.#fail(error);
      }
      await this.#pause(seconds);
    }
    await this.#pool.query(`DELETE FROM ${workers} WHERE id = $1`, [this.#id]).catch(() => undefined);
  }

  /** Waits so long, or until the worker stops. */
  #pause(seconds: number): Promise<void> {
    const { signal } = this.#stop;
    if (signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        resolve();
      };
      const timer = setTimeout(done, seconds * 1000);
      signal.addEventListener('abort', done);
    });
  }
}

/** Grows to five seconds; chance keeps a fleet from coming back all at once. */
function backoff(misses: number): number {
  return Math.min(5, 0.1 * 2 ** misses) * (0.5 + Math.random());
}

/** Vectors that are made are worth another try to write them, as long as their lease may last. */
function patient(store: Store, lease: number): Store {
  return {
    claim: (limits) => store.claim(limits),
    read: (claim) => store.read(claim),
    extend: (claim) => store.extend(claim),
    async finish(claim: Claim, outcomes: readonly Outcome[]) {
      const until = performance.now() + lease * 1000;
      for (let misses = 0; ; misses++) {
        try {
          return await store.finish(claim, outcomes);
        } catch (error) {
          const seconds = backoff(misses);
          if (!isPassing(error) || performance.now() + seconds * 1000 > until) throw error;
          await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
        }
      }
    },
  };
}
