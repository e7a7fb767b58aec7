/** session.stats(): what is counted, and what the histograms make of it. */
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { LatencyHistogram, Session } from '../../lib/index.js';
import { binding } from '../../lib/native/binding.js';

const model = inject('fixture');

describe('LatencyHistogram', () => {
  const bounds = binding().latencyBounds();

  function histogramOf(samples: readonly number[]): LatencyHistogram {
    const counts = new Float64Array(bounds.length);
    for (const sample of samples) {
      const bucket = bounds.findIndex((bound) => sample < bound);
      const index = bucket === -1 ? bounds.length - 1 : bucket;
      counts[index] = (counts[index] ?? 0) + 1;
    }
    const sum = samples.reduce((total, sample) => total + sample, 0);
    return new LatencyHistogram(samples.length, sum, Math.max(0, ...samples), counts);
  }

  /** Spread over five orders of magnitude, as latencies are; the same in every run. */
  function samples(count: number, seed: number): number[] {
    let state = seed;
    return Array.from({ length: count }, () => {
      state = (state * 1103515245 + 12345) % 2 ** 31;
      return 10 ** ((state / 2 ** 31) * 5 - 1.5);
    });
  }

  test.each([1, 2, 3, 10, 99, 1000])('percentiles of %i samples are those of the sorted list, within 4 %%', (count) => {
    const list = samples(count, count);
    const sorted = list.toSorted((a, b) => a - b);
    const histogram = histogramOf(list);
    for (const percent of [0, 1, 25, 50, 75, 90, 95, 99, 99.9, 100]) {
      const exact = sorted[Math.max(0, Math.ceil((percent / 100) * count) - 1)] ?? NaN;
      const estimate = histogram.percentile(percent);
      expect(estimate / exact, `${percent} %`).toBeGreaterThanOrEqual(1 - 1e-9);
      expect(estimate / exact, `${percent} %`).toBeLessThan(1.04);
    }
    expect([histogram.p50, histogram.p95, histogram.p99]).toEqual([50, 95, 99].map((p) => histogram.percentile(p)));
    expect(histogram.percentile(100)).toBe(sorted.at(-1));
    expect(histogram.mean).toBeCloseTo(list.reduce((sum, x) => sum + x, 0) / count, 6);
  });

  test('of nothing is zero everywhere', () => {
    const empty = histogramOf([]);
    expect(empty.toJSON()).toEqual({ count: 0, mean: 0, p50: 0, p95: 0, p99: 0, max: 0 });
    expect([...empty.buckets()]).toEqual([]);
  });

  test('buckets ascend and hold every sample; JSON is the summary', () => {
    const histogram = histogramOf(samples(500, 7));
    const buckets = [...histogram.buckets()];
    expect(buckets.reduce((sum, { count }) => sum + count, 0)).toBe(500);
    expect(buckets.map(({ le }) => le)).toEqual(buckets.map(({ le }) => le).toSorted((a, b) => a - b));
    expect(JSON.parse(JSON.stringify(histogram))).toEqual(histogram.toJSON());
  });

  test('since gives what came after an earlier snapshot', () => {
    const [before, after] = [samples(300, 1), samples(200, 2)];
    const later = histogramOf([...before, ...after]).since(histogramOf(before));
    const exact = histogramOf(after);
    expect(later.count).toBe(200);
    expect([...later.buckets()]).toEqual([...exact.buckets()]);
    expect(later.sum).toBeCloseTo(exact.sum, 6);
    expect(later.p95).toBe(exact.p95);
    expect(later.max / exact.max).toBeLessThan(1.04);
    expect(histogramOf(before).since(histogramOf(before)).toJSON()).toEqual(histogramOf([]).toJSON());
  });

  test('a percentage that is none is refused', () => {
    for (const percent of [-1, 100.5, NaN]) expect(() => histogramOf([1]).percentile(percent)).toThrow(RangeError);
  });
});

describe('session.stats()', () => {
  let session: Session;
  beforeAll(async () => {
    session = await Session.load(model, { cache: { maxBytes: 2 ** 20 } });
  });
  afterAll(() => session.close());

  test('is zeros before anything happened, in every state', async () => {
    const fresh = new Session(model);
    const zeros = JSON.stringify(fresh.stats());
    expect(fresh.stats()).toMatchObject({ queue: { calls: 0 }, batches: { count: 0, tokensPerBatch: 0 }, tokens: 0 });
    await fresh.close();
    const lost = new Session('./no-such-directory');
    await lost.ready().catch(() => undefined);
    expect(JSON.stringify(lost.stats())).toBe(zeros);
  });

  test('counts calls, texts, tokens and batches, and measures every stage', async () => {
    await using counted = await Session.load(model, { threads: 1 });
    const { tokens } = await counted.embed(['one', 'one two three']);
    await counted.run('four');
    const stats = counted.stats();
    expect(stats).toMatchObject({
      queue: { calls: 0, texts: 0, bytes: 0, running: 0, waiting: 0, oldest: 0 },
      calls: { completed: 2, rejected: 0, cancelled: 0, failed: 0 },
      texts: { completed: 3, failed: 0, coalesced: 0 },
      cache: { hits: 0, misses: 0, entries: 0, bytes: 0 },
      engine: { threads: 1 },
    });
    expect(stats.tokens).toBe(tokens.reduce((sum, count) => sum + count, 0) + 3);
    expect(stats.batches.count).toBeGreaterThanOrEqual(2);
    expect(stats.batches.tokensPerBatch).toBeCloseTo(stats.batches.tokens / stats.batches.count, 9);
    expect(stats.batches.paddingShare).toBeGreaterThanOrEqual(0);
    expect(stats.batches.paddingShare).toBeLessThan(1);
    for (const stage of Object.values(stats.latency)) expect(stage.count).toBe(2);
    expect(stats.latency.total.max).toBeGreaterThanOrEqual(stats.latency.infer.max);
    expect(stats.latency.total.sum).toBeGreaterThan(0);
  });

  test('a cache answers texts that come again, for the same options only', async () => {
    const first = await session.embed(['cached', 'also cached']);
    const before = session.stats();
    const again = await session.embed(['also cached', 'cached']);
    const { cache, tokens } = session.stats();
    expect(cache.hits - before.cache.hits).toBe(2);
    expect([cache.entries, tokens]).toEqual([before.cache.entries, before.tokens]);
    expect(cache.bytes).toBeGreaterThan(2 * 96 * 4);
    expect([...again.at(1)]).toEqual([...first.at(0)]);
    expect([...again.tokens]).toEqual([...first.tokens].reverse());
    const raw = await session.embed('cached', { normalize: false });
    expect([...raw.at(0)]).not.toEqual([...first.at(0)]);
    expect(Math.hypot(...again.at(0))).toBeCloseTo(1, 5);
  });

  test('the snapshot after close() is the last one', async () => {
    const closing = await Session.load(model);
    await closing.embed(['a', 'b']);
    await closing.close();
    expect(closing.stats()).toMatchObject({ calls: { completed: 1 }, texts: { completed: 2 }, queue: { texts: 0 } });
  });

  test('counts failed, refused and cancelled calls', async () => {
    await using counted = await Session.load(model, { maxQueue: 1 });
    await expect(counted.embed('word '.repeat(600), { truncate: false })).rejects.toMatchObject({
      code: 'ERR_TEXT_TOO_LONG',
    });
    expect(counted.stats().texts.failed).toBe(1);
    // Many, because a machine may finish one before the next is asked for.
    const calls = Array.from({ length: 100 }, (_, i) => counted.run(`${i} ${'busy '.repeat(400)}`));
    const refused = (await Promise.allSettled(calls)).filter(({ status }) => status === 'rejected');
    expect(refused.length).toBeGreaterThan(0);
    expect(refused[0]).toMatchObject({ reason: { code: 'ERR_OVERLOADED' } });
    expect(counted.stats().calls.rejected).toBe(refused.length);

    await using roomy = await Session.load(model);
    const controller = new AbortController();
    // More than is done before the next statement, on any machine, and one slice: a token for each character.
    const long = Array.from({ length: 500 }, (_, i) => `${i}${'!'.repeat(508)}`);
    const cancelled = roomy.embed(long, { signal: controller.signal });
    controller.abort();
    await expect(cancelled).rejects.toMatchObject({ code: 'ERR_ABORTED' });
    expect(roomy.stats().calls.cancelled).toBe(1);
  });
});
