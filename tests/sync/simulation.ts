/**
 * A model of the protocol: a table, its queue and the database's clock in memory, where every call of a worker is one step
 * that a seeded scheduler lets happen when it likes. The lanes and their decisions are the real ones (lane.ts,
 * decisions.ts); what stands here are the statements of queue-sql.ts and the trigger, in a few lines each, with the guards
 * that a test may leave out to see that they are needed.
 */
import { createHash, randomUUID } from 'node:crypto';
import { GtewayError } from '../../lib/errors.js';
import { attemptsInCompany, BatchSize } from '../../lib/sync/decisions.js';
import { type Embed, workOnBatch } from '../../lib/sync/lane.js';
import type { Claim, ClaimLimits, FinishCounts, Outcome, Source, Store } from '../../lib/sync/store.js';

export interface Row {
  text: string;
  /** The text and version that its vector was made of. */
  vector: { readonly text: string; readonly version: string } | undefined;
  hash: string | undefined;
  version: string | undefined;
}

export interface ModelJob {
  id: string;
  key: string;
  hash: string;
  version: string;
  priority: number;
  due: number;
  attempts: number;
  token: string | undefined;
  failed: string | undefined;
}

/** What may be left out, to see what it is for. */
export interface Guards {
  /** A vector is written only to a row that still has its text. */
  readonly hash: boolean;
  /** Only the holder of a job finishes it. */
  readonly token: boolean;
  /** Jobs that need nothing are looked at again before they go. */
  readonly settle: boolean;
  /** A worker of another version claims nothing. */
  readonly version: boolean;
  /** A backfill for another version takes jobs from their workers. */
  readonly takeover: boolean;
  /** Marks and vectors, which may be a row's chunks, are written in one transaction. */
  readonly whole: boolean;
}

export const allGuards: Guards = { hash: true, token: true, settle: true, version: true, takeover: true, whole: true };

export const hashOf = (text: string): string => createHash('sha256').update(text).digest('hex');
const hashes = new Map<string, string>();
function hashed(text: string): string {
  let hash = hashes.get(text);
  if (hash === undefined) hashes.set(text, (hash = hashOf(text)));
  return hash;
}

/** Table, trigger, queue and clock. Each method is one transaction. */
export class ModelDatabase {
  readonly rows = new Map<string, Row>();
  readonly jobs = new Map<string, ModelJob>();
  version = 'v1';
  now = 0;
  readonly guards: Guards;
  /** Writes that broke a promise, as sentences. */
  readonly wrong: string[] = [];
  #ids = 0;

  constructor(guards: Guards = allGuards) {
    this.guards = guards;
  }

  isMade({ text, hash, vector }: Row): boolean {
    return hash === hashed(text) && (vector !== undefined || text === '');
  }

  isCurrent(row: Row): boolean {
    return this.isMade(row) && row.version === this.version;
  }

  #jobOf(key: string): ModelJob | undefined {
    for (const job of this.jobs.values()) if (job.key === key) return job;
    return undefined;
  }

  #enqueue(key: string, row: Row, priority: number, renews: (job: ModelJob, hash: string) => boolean): void {
    const hash = hashed(row.text);
    const there = this.#jobOf(key);
    if (there === undefined) {
      const id = String(++this.#ids);
      const fresh = {
        hash,
        version: this.version,
        priority,
        due: this.now,
        attempts: 0,
        token: undefined,
        failed: undefined,
      };
      this.jobs.set(id, { id, key, ...fresh });
    } else if (renews(there, hash)) {
      const best = Math.min(there.priority, priority);
      Object.assign(there, { hash, version: this.version, priority: best, due: this.now, attempts: 0 });
      Object.assign(there, { token: undefined, failed: undefined });
    }
  }

  /** The trigger of a statement that left these rows behind. */
  #changed(key: string, row: Row): void {
    if (!this.isMade(row)) this.#enqueue(key, row, 0, (job, hash) => job.hash !== hash || job.version !== this.version);
    else {
      const job = this.#jobOf(key);
      if (job?.failed === undefined) return;
      Object.assign(job, { failed: undefined, hash: hashed(row.text), attempts: 0, due: this.now });
    }
  }

  put(key: string, text: string): void {
    const row = this.rows.get(key) ?? { text, vector: undefined, hash: undefined, version: undefined };
    row.text = text;
    this.rows.set(key, row);
    this.#changed(key, row);
  }

  #drop(key: string): void {
    const job = this.#jobOf(key);
    if (job !== undefined) this.jobs.delete(job.id);
  }

  delete(key: string): void {
    this.rows.delete(key);
    this.#drop(key);
  }

  rename(from: string, to: string): void {
    const row = this.rows.get(from);
    if (row === undefined || this.rows.has(to)) return;
    this.rows.delete(from);
    this.rows.set(to, row);
    if (this.isCurrent(row)) this.#changed(to, row);
    else this.#enqueue(to, row, 0, (job, hash) => job.hash !== hash || job.version !== this.version);
  }

  truncate(): void {
    this.rows.clear();
    this.jobs.clear();
  }

  backfill(): void {
    for (const [key, row] of this.rows) {
      if (this.isCurrent(row)) continue;
      this.#enqueue(key, row, 1, (job) => this.guards.takeover && job.version !== this.version);
    }
  }

  claim({ rows }: ClaimLimits, lease: number, version: string): Claim | undefined {
    if (this.guards.version && version !== this.version) return undefined;
    const due = [...this.jobs.values()]
      .filter((job) => job.failed === undefined && job.due <= this.now)
      .sort((a, b) => a.priority - b.priority || a.due - b.due || Number(a.id) - Number(b.id));
    const [first] = due;
    if (first === undefined) return undefined;
    const together = due.filter((job) => job.attempts < attemptsInCompany).slice(0, rows);
    const taken = first.attempts < attemptsInCompany ? together : [first];
    const token = randomUUID();
    for (const job of taken) {
      Object.assign(job, { token, due: this.now + lease, attempts: job.attempts + 1, version });
    }
    return { token, jobs: taken.map(({ id, attempts }) => ({ id, attempts })) };
  }

  read({ token, jobs }: Claim): Source[] {
    return jobs.flatMap(({ id }): Source[] => {
      const job = this.jobs.get(id);
      if (job?.token !== token) return [];
      const row = this.rows.get(job.key);
      if (row === undefined) return [{ id, row: undefined }];
      return [{ id, row: { text: row.text, hash: hashed(row.text), isCurrent: this.isCurrent(row) } }];
    });
  }

  extend({ token, jobs }: Claim, lease: number): number {
    const held = jobs.filter(({ id }) => this.jobs.get(id)?.token === token);
    for (const { id } of held) Object.assign(this.jobs.get(id) ?? {}, { due: this.now + lease });
    return held.length;
  }

  /**
   * `vectors`: what was embedded for a write, by the job's id; `later`: what is left for a transaction of its own. All chunks
   * of a text count as its vector: what ties them to it, in PostgreSQL, moves and deletes them with the row.
   */
  finish(
    claim: Claim,
    outcomes: readonly Outcome[],
    version: string,
    vectors: ReadonlyMap<string, string>,
    later: (() => void)[] = [],
  ): FinishCounts {
    const counts = { written: 0, settled: 0, failed: 0, released: 0, lost: 0 };
    const release = (job: ModelJob, delay: number, undo: boolean): void => {
      Object.assign(job, { token: undefined, due: this.now + delay, attempts: job.attempts - Number(undo) });
      counts.released++;
    };
    for (const outcome of outcomes) {
      const job = this.jobs.get(outcome.id);
      if (job === undefined || (this.guards.token && job.token !== claim.token)) {
        counts.lost++;
        continue;
      }
      const row = this.rows.get(job.key);
      if (outcome.kind === 'release') release(job, outcome.delay, outcome.undo);
      else if (outcome.kind === 'settled') {
        if (this.guards.settle && row !== undefined && !this.isCurrent(row)) release(job, 0, true);
        else {
          this.jobs.delete(job.id);
          counts.settled++;
        }
      } else if (
        row === undefined ||
        (this.guards.hash && (hashed(row.text) !== outcome.hash || this.isCurrent(row)))
      ) {
        release(job, 1, true);
      } else if (outcome.kind === 'fail') {
        Object.assign(job, { failed: outcome.reason, hash: outcome.hash, token: undefined });
        counts.failed++;
      } else {
        const text = vectors.get(outcome.id);
        if (text !== undefined && text !== row.text)
          this.wrong.push(`row ${job.key} has '${row.text}', and got the vector of '${text}'`);
        if (this.isMade(row) && row.version === version) this.wrong.push(`row ${job.key} was written twice`);
        const keep = (): void => void (row.vector = text === undefined ? undefined : { text, version });
        if (this.guards.whole) keep();
        else later.push(keep);
        row.hash = outcome.hash;
        row.version = version;
        this.jobs.delete(job.id);
        counts.written++;
      }
    }
    return counts;
  }
}

/** A small, fast generator, so that a schedule is its seed (mulberry32). */
export function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

interface Step {
  readonly worker: ModelWorker;
  happen(): void;
}

const lease = 10;
const keys = ['a', 'b', 'c'];
const texts = ['x', 'y', '', 'poison'];

class ModelWorker {
  readonly version: string;
  readonly held = new Set<Claim>();
  isDead = false;
  isStopping = false;
  isIdle = true;
  readonly #database: ModelDatabase;
  readonly #steps: Step[];
  readonly #vectors = new Map<string, string>();
  readonly #size = new BatchSize(32);
  failure: Error | undefined;

  constructor(database: ModelDatabase, steps: Step[], version: string) {
    this.#database = database;
    this.#steps = steps;
    this.version = version;
  }

  /** A step of the schedule: its effect and its answer come when the scheduler says so, or never. */
  #step<Result>(work: () => Result): Promise<Result> {
    return new Promise((resolve, reject) => {
      this.#steps.push({
        worker: this,
        happen() {
          try {
            resolve(work());
          } catch (error) {
            reject(error instanceof Error ? error : new Error(String(error)));
          }
        },
      });
    });
  }

  begin(): void {
    this.isIdle = false;
    const database = this.#database;
    const store: Store = {
      claim: (limits) => this.#step(() => database.claim({ ...limits, rows: 2 }, lease, this.version)),
      read: (claim) =>
        this.#step(() => {
          const sources = database.read(claim);
          for (const { id, row } of sources) if (row !== undefined) this.#vectors.set(id, row.text);
          return sources;
        }),
      finish: async (claim, outcomes) => {
        const later: (() => void)[] = [];
        const counts = await this.#step(() => {
          const made = new Map(
            outcomes.flatMap((outcome) =>
              outcome.kind === 'write' && outcome.made !== undefined
                ? [[outcome.id, this.#vectors.get(outcome.id) ?? ''] as const]
                : [],
            ),
          );
          return database.finish(claim, outcomes, this.version, made, later);
        });
        if (later.length > 0) await this.#step(() => later.forEach((keep) => keep()));
        return counts;
      },
      extend: (claim) => this.#step(() => database.extend(claim, lease)),
    };
    const embed: Embed = (list) =>
      this.#step(() => ({
        results: list.map((text) =>
          text === 'poison' ? new GtewayError('ERR_TEXT_TOO_LONG', 'too long') : new Float32Array(1),
        ),
        tokens: list.length,
      }));
    const parts = { store, embed, size: this.#size, held: this.held, isStopping: () => this.isStopping };
    workOnBatch(parts).then(
      () => (this.isIdle = true),
      (error: unknown) => (this.failure = error as Error),
    );
  }
}

export interface Schedule {
  readonly database: ModelDatabase;
  /** What broke a promise; empty where all were kept. */
  readonly wrong: readonly string[];
  readonly steps: number;
}

/** Promises settle in microtasks; a few turns let a lane come to its next step. */
async function settle(): Promise<void> {
  for (let i = 0; i < 6; i++) await Promise.resolve();
}

/** One schedule: changes of users, steps of workers, deaths, time and a new model as chance has it, and then rest. */
export async function runSchedule(seed: number, guards: Guards = allGuards): Promise<Schedule> {
  const chance = random(seed);
  const pick = <Item>(items: readonly Item[]): Item => {
    const item = items[Math.floor(chance() * items.length)];
    if (item === undefined) throw new Error('nothing to pick from');
    return item;
  };
  const database = new ModelDatabase(guards);
  const steps: Step[] = [];
  let workers = [new ModelWorker(database, steps, 'v1'), new ModelWorker(database, steps, 'v1')];
  let count = 0;
  const user = (): void => {
    const kind = chance();
    if (kind < 0.7) database.put(pick(keys), pick(texts));
    else if (kind < 0.82) database.delete(pick(keys));
    else if (kind < 0.94) database.rename(pick(keys), pick(keys));
    else if (kind < 0.97) database.truncate();
    else database.backfill();
  };
  const renew = (): void => {
    // `init` with another model, new workers beside the old ones, and the backfill that is asked for.
    database.version = 'v2';
    workers.push(new ModelWorker(database, steps, 'v2'));
    database.backfill();
  };
  const happen = async (): Promise<void> => {
    const [step] = steps.splice(Math.floor(chance() * steps.length), 1);
    if (step === undefined || step.worker.isDead) return;
    step.happen();
    count++;
    await settle();
  };
  const renewsAt = chance() < 0.3 ? Math.floor(chance() * 45) : -1;
  for (let i = 0; i < 45; i++) {
    if (i === renewsAt) renew();
    const kind = chance();
    if (kind < 0.28) user();
    else if (kind < 0.32) database.now += lease * chance() * 2;
    else if (kind < 0.35) for (const claim of pick(workers).held) database.extend(claim, lease);
    else if (kind < 0.38) {
      const dying = pick(workers);
      dying.isDead = true;
      workers = workers.map((worker) => (worker === dying ? new ModelWorker(database, steps, worker.version) : worker));
    } else if (kind < 0.4) pick(workers).isStopping = chance() < 0.5;
    else {
      const idle = workers.find((worker) => worker.isIdle);
      if (idle !== undefined && (steps.length === 0 || chance() < 0.4)) {
        idle.begin();
        await settle();
      } else await happen();
    }
  }
  // Rest: what is under way ends, a worker of the wanted version stays, and time goes on until nothing is left to do.
  while (steps.length > 0) await happen();
  const last = new ModelWorker(database, steps, database.version);
  for (let round = 0; round < 60; round++) {
    const left = [...database.jobs.values()].filter((job) => job.failed === undefined);
    if (left.length === 0) break;
    database.now = Math.max(database.now, Math.min(...left.map((job) => job.due)));
    last.begin();
    await settle();
    while (steps.length > 0) await happen();
  }
  return { database, wrong: [...database.wrong, ...brokenAtRest(database, [...workers, last])], steps: count };
}

/** Nothing lost, nothing stale: at rest each row has its vector, or a failure that is its own. */
function brokenAtRest(database: ModelDatabase, workers: readonly ModelWorker[]): string[] {
  const wrong = workers.flatMap(({ failure }) =>
    failure === undefined ? [] : [`a lane rejected: ${failure.message}`],
  );
  for (const [key, row] of database.rows) {
    const job = [...database.jobs.values()].find((each) => each.key === key);
    const said = `row ${key} ('${row.text}')`;
    if (row.text === 'poison') {
      if (job?.failed === undefined) wrong.push(`${said} did not end as failed`);
      continue;
    }
    if (job !== undefined)
      wrong.push(`${said} still has a job${job.failed === undefined ? '' : `, failed: ${job.failed}`}`);
    else if (!database.isMade(row)) wrong.push(`${said} has no vector of its text`);
    else if (!database.isCurrent(row)) wrong.push(`${said} has a vector of the other model`);
    else if (row.vector !== undefined && row.vector.text !== row.text)
      wrong.push(`${said} has that of '${row.vector.text}'`);
  }
  return wrong;
}
