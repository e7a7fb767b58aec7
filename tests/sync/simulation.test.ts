/**
 * The protocol under a hundred thousand schedules of users, workers, deaths and time; what each guard is for; and that the
 * model does what PostgreSQL does, statement by statement.
 */
import { describe, expect, test } from 'vitest';
import type { SyncOptions } from '../../lib/sync/config.js';
import { PostgresStore } from '../../lib/sync/postgres-store.js';
import type { Claim, Made, Outcome, Source } from '../../lib/sync/store.js';
import { Cluster, findPostgres } from './postgres.js';
import { allGuards, type Guards, ModelDatabase, random, runSchedule } from './simulation.js';
import { chunked, closeSharedSession, createTable, install, runBackfill, type TestTable } from './sync-fixture.js';

describe('the protocol', () => {
  test('loses nothing, writes nothing stale and nothing twice in 100,000 schedules', { timeout: 600_000 }, async () => {
    let steps = 0;
    for (let seed = 1; seed <= 100_000; seed++) {
      const schedule = await runSchedule(seed);
      if (schedule.wrong.length > 0) throw new Error(`seed ${seed}: ${schedule.wrong.join('; ')}`);
      steps += schedule.steps;
    }
    expect(steps).toBeGreaterThan(1_000_000);
  });

  const needed: [without: keyof Guards, breaks: RegExp][] = [
    ['hash', /got the vector of/],
    ['token', /a vector of the other model/],
    ['settle', /has no vector of its text/],
    ['version', /a vector of the other model/],
    ['takeover', /a vector of the other model/],
    ['whole', /has no vector of its text|has that of/],
  ];
  test.each(needed)('breaks without the guard %s', async (without, breaks) => {
    for (let seed = 1; seed <= 50_000; seed++) {
      const { wrong } = await runSchedule(seed, { ...allGuards, [without]: false });
      if (wrong.some((sentence) => breaks.test(sentence))) return;
    }
    throw new Error(`no schedule needs it`);
  });
});

const keys = ['1', '2', '3'];
const texts = ['x', 'y', ''];
const lease = 1000;

/** Both at once: the model, and the statements and triggers in PostgreSQL. */
class Twins {
  readonly model = new ModelDatabase();
  readonly table: TestTable;
  readonly options: SyncOptions;
  #store: PostgresStore;
  #version = 'v1';
  /** Claims of both, by turns. */
  readonly claims: { readonly real: Claim; readonly modelled: Claim; readonly texts: Map<string, string> }[] = [];

  constructor(table: TestTable, options: SyncOptions) {
    this.table = table;
    this.options = options;
    this.#store = new PostgresStore(table.pool, table.target, lease);
  }

  async user(pick: <Item>(items: readonly Item[]) => Item): Promise<void> {
    const { model, table } = this;
    const [kind, key, other, text] = [
      pick(['put', 'put', 'put', 'delete', 'rename', 'truncate']),
      pick(keys),
      pick(keys),
      pick(texts),
    ];
    if (kind === 'put') {
      model.put(key, text);
      const sql = 'INSERT INTO documents (id, title) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET title = $2';
      await table.run(sql, [key, text]);
    } else if (kind === 'delete') {
      model.delete(key);
      await table.run('DELETE FROM documents WHERE id = $1', [key]);
    } else if (kind === 'rename' && model.rows.has(key) && !model.rows.has(other)) {
      model.rename(key, other);
      await table.run('UPDATE documents SET id = $2 WHERE id = $1', [key, other]);
    } else if (kind === 'truncate' && pick([true, false, false])) {
      model.truncate();
      await table.run('TRUNCATE documents CASCADE');
    }
  }

  async claim(): Promise<void> {
    const modelled = this.model.claim({ rows: 2, bytes: 1000 }, lease, this.#version);
    const real = await this.#store.claim({ rows: 2, bytes: 1000 });
    expect(real?.jobs.length ?? 0).toBe(modelled?.jobs.length ?? 0);
    if (real === undefined || modelled === undefined) return;
    const sources = this.model.read(modelled);
    const read = await this.#store.read(real);
    const facts = (list: typeof read): object[] =>
      list.map(({ row }) => (row === undefined ? { gone: true } : { ...row })).sort(byText);
    expect(facts(read)).toEqual(facts(sources));
    this.claims.push({ real, modelled, texts: new Map(sources.map(({ id, row }) => [id, row?.text ?? ''])) });
  }

  async finish(pick: <Item>(items: readonly Item[]) => Item): Promise<void> {
    const claim = this.claims.splice(this.claims.indexOf(pick(this.claims)), 1)[0];
    if (claim === undefined) return;
    // Jobs of the two have ids of their own; their keys say which is which.
    const ids = await this.#pairs(claim.real, claim.modelled);
    const outcomes: { real: Outcome; modelled: Outcome }[] = [];
    for (const { real, modelled, source } of ids) {
      const kind =
        source === undefined || source.isCurrent ? 'settled' : pick(['write', 'write', 'fail', 'release'] as const);
      const make = (id: string): Outcome => {
        if (kind === 'settled' || source === undefined) return { kind: 'settled', id };
        if (kind === 'release') return { kind, id, delay: 0, undo: true };
        if (kind === 'fail') return { kind, id, hash: source.hash, reason: 'by chance' };
        return { kind: 'write', id, hash: source.hash, made: source.text === '' ? undefined : this.#made(source.text) };
      };
      outcomes.push({ real: make(real), modelled: make(modelled) });
    }
    const made = new Map([...claim.texts].filter(([, text]) => text !== ''));
    const counts = this.model.finish(
      claim.modelled,
      outcomes.map(({ modelled }) => modelled),
      this.#version,
      made,
    );
    expect(
      await this.#store.finish(
        claim.real,
        outcomes.map(({ real }) => real),
      ),
    ).toEqual(counts);
  }

  #made(text: string): Made {
    const vector = new Float32Array(224);
    if (this.table.target.chunks === undefined) return vector;
    const [start, end, tokens] = [0, text.length, 3];
    return [0, 1].map(() => ({ text, start, end, tokens, vector }));
  }

  /** The jobs of a claim that both still know, with what a worker read of them when it claimed. */
  async #pairs(real: Claim, modelled: Claim): Promise<{ real: string; modelled: string; source: Read | undefined }[]> {
    const sources = new Map(this.model.read(modelled).map(({ id, row }) => [id, row]));
    const rows = await this.table.run<{ id: string; key: string }>(
      'SELECT id::text, key_1::text AS key FROM gteway_sync.documents_queue WHERE token = $1',
      [real.token],
    );
    return rows.map(({ id, key }) => {
      const job = [...this.model.jobs.values()].find((each) => each.key === key && each.token === modelled.token);
      if (job === undefined) throw new Error(`the model does not hold the job of key ${key}`);
      return { real: id, modelled: job.id, source: sources.get(job.id) };
    });
  }

  /** Another model is wanted, and asked for. */
  async renew(): Promise<void> {
    this.model.version = this.#version = 'v2';
    const target = await install(this.table.pool, { ...this.options, modelVersion: 'v2' });
    this.model.backfill();
    await runBackfill({ ...this.table, target });
    this.#store = new PostgresStore(this.table.pool, target, lease);
  }

  async expectSame(): Promise<void> {
    const filled =
      this.table.target.chunks === undefined
        ? 'embedding IS NOT NULL'
        : 'embedding_chunks > 0 AND embedding_chunks = (SELECT count(*) FROM document_chunks k WHERE k.id = documents.id)';
    const rows = await this.table.run(
      `SELECT id::text AS key, title AS text, embedding_model AS version, encode(embedding_hash, 'hex') AS hash,
         coalesce(${filled}, false) AS filled FROM documents ORDER BY id`,
    );
    const modelled = [...this.model.rows].map(([key, { text, version, hash, vector }]) => ({
      key,
      text,
      version: version ?? null,
      hash: hash ?? null,
      filled: vector !== undefined,
    }));
    expect(rows).toEqual(modelled.sort(byKey));
    const jobs = await this.table.run(
      `SELECT key_1::text AS key, encode(hash, 'hex') AS hash, version, priority, attempts, token IS NOT NULL AS held,
         failed_at IS NOT NULL AS failed FROM gteway_sync.documents_queue ORDER BY key_1`,
    );
    const wanted = [...this.model.jobs.values()].map(({ key, hash, version, priority, attempts, token, failed }) => ({
      key,
      hash,
      version,
      priority,
      attempts,
      held: token !== undefined,
      failed: failed !== undefined,
    }));
    expect(jobs).toEqual(wanted.sort(byKey));
  }
}

type Read = NonNullable<Source['row']>;

const byKey = (a: { key: string }, b: { key: string }): number => a.key.localeCompare(b.key);
const byText = (a: object, b: object): number => JSON.stringify(a).localeCompare(JSON.stringify(b));

const postgres = findPostgres();
const missing = 'missing' in postgres ? postgres.missing : undefined;

describe.skipIf(missing !== undefined)(`the model${missing === undefined ? '' : ` (skipped: ${missing})`}`, () => {
  const forms: [form: string, options: SyncOptions][] = [
    ['a column', {}],
    ['chunks', chunked],
  ];
  test.each(forms)('and PostgreSQL, with %s, come to the same rows and jobs', { timeout: 300_000 }, async (_, form) => {
    const options = { ...form, text: ['title'] };
    const cluster = await Cluster.start();
    try {
      for (let seed = 1; seed <= 12; seed++) {
        const chance = random(seed);
        const pick = <Item>(items: readonly Item[]): Item =>
          items[Math.floor(chance() * items.length)] ?? (items[0] as Item);
        const table = await createTable(cluster, { ...options, modelVersion: 'v1' });
        const twins = new Twins(table, options);
        try {
          for (let i = 0; i < 50; i++) {
            // PostgreSQL's clock goes on by itself; the model's by a step, so that what is due comes in the same order.
            twins.model.now += 1e-6;
            const kind = chance();
            if (i === 30) await twins.renew();
            else if (kind < 0.5) await twins.user(pick);
            else if (kind < 0.8) await twins.claim();
            else if (twins.claims.length > 0) await twins.finish(pick);
            await twins.expectSame();
          }
        } catch (error) {
          throw new Error(`seed ${seed}`, { cause: error });
        } finally {
          await table.close();
        }
      }
    } finally {
      await closeSharedSession();
      await cluster.close();
    }
  });
});
