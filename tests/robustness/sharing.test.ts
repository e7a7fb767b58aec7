/** Sessions of one model in one process, also across worker_threads: one set of weights and threads, separate lives. */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, inject, test } from 'vitest';
import { Session } from '../../lib/index.js';
import { buildLibrary } from '../built-library.js';
import { runChild } from './child.js';

beforeAll(() => buildLibrary());

interface Report {
  /** sessions that share the engine, as the main thread sees it: alone, with the workers, after one closed, and so on */
  readonly sharing: readonly number[];
  readonly same: boolean;
  /** Bytes that the workers' sessions added to the process. */
  readonly growth: number;
}

async function report(model: string, dtype: string): Promise<Report> {
  const outcome = await runChild('sharing.mjs', [model, dtype, '3']);
  expect(outcome, outcome.output).toMatchObject({ code: 0, signal: null });
  return JSON.parse(outcome.output) as Report;
}

describe('sessions of one model', () => {
  test('in three workers and the main thread share it, give the same bits, and end one by one', async () => {
    // int8 computes each text by itself; elsewhere the last bits may depend on what shares a batch.
    const { sharing, same } = await report(inject('fixture'), 'int8');
    expect(same).toBe(true);
    expect(sharing).toEqual([1, 4, 3, 2, 1]);
  });

  test('need the memory of one', async (context) => {
    const model = inject('gte');
    if (model === null)
      return context.skip('needs the full-size model of the shared data: weights that show in memory');
    const { growth } = await report(model, 'fp32');
    // Three more copies would be three times the file; a worker's own heap is a small part of one.
    expect(growth).toBeLessThan(statSync(join(model, 'onnx', 'model.onnx')).size);
  });

  test('in one thread: what one fills, refuses or caches is not the other’s', async () => {
    await using small = await Session.load(inject('fixture'), { threads: 1, maxQueue: 1 });
    await using large = await Session.load(inject('fixture'), { threads: 1, cache: { maxBytes: 2 ** 20 } });
    expect(small.stats().engine).toMatchObject({ sessions: 2, threads: large.stats().engine.threads });
    // Many, because a machine may finish one before the next is asked for.
    const calls = Array.from({ length: 100 }, (_, i) => small.run(`${i} ${'busy '.repeat(400)}`));
    const served = large.run('served');
    const refused = (await Promise.allSettled(calls)).filter(({ status }) => status === 'rejected');
    expect(refused[0]).toMatchObject({ reason: { code: 'ERR_OVERLOADED' } });
    expect(await served).toEqual(await small.run('served'));
    expect([small.stats().calls.rejected, large.stats().calls.rejected]).toEqual([refused.length, 0]);
    expect([small.stats().cache.entries, large.stats().cache.entries]).toEqual([0, 1]);
  });

  test('that differ in what the engine is made of do not share', async () => {
    await using one = await Session.load(inject('fixture'), { threads: 1 });
    await using other = await Session.load(inject('fixture'), { threads: 1, dtype: 'int8' });
    expect([one.stats().engine.sessions, other.stats().engine.sessions]).toEqual([1, 1]);
  });

  test('closing one while both are busy settles its calls and leaves the other’s alone', async () => {
    const closing = await Session.load(inject('fixture'));
    await using staying = await Session.load(inject('fixture'));
    const texts = Array.from({ length: 3000 }, (_, i) => `${i} ${'busy '.repeat(30)}`);
    const [ended, done] = [closing.embed(texts), staying.embed(texts)];
    const outcome = ended.catch((error: unknown) => error);
    await closing.close();
    expect(await outcome).toMatchObject({ code: 'ERR_CLOSED' });
    expect((await done).rows).toBe(3000);
    expect(staying.stats().engine.sessions).toBe(1);
  });
});
