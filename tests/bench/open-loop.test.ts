import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { poissonGaps } from '../../bench/measure/statistics.mjs';
import { closedLoop, openLoop } from '../../bench/serving/open-loop.mjs';

// A clock of the test's own: what is checked is arithmetic, not speed.
beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] }));
afterEach(() => void vi.useRealTimers());

const after = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));

function arrivals(perSecond: number, seed: number, seconds: number): number[] {
  const gap = poissonGaps(perSecond, seed);
  const times: number[] = [];
  for (let time = gap(); time < seconds * 1000; time += gap()) times.push(time);
  return times;
}

const schedule = { perSecond: 50, seed: 4, seconds: 2, drainSeconds: 1 };

describe('openLoop', () => {
  test('sends every arrival of the seeded process, with the texts in turn', async () => {
    const sent: string[] = [];
    const running = openLoop((text: string) => Promise.resolve(sent.push(text)), ['a', 'b', 'c'], schedule);
    await vi.runAllTimersAsync();
    const result = await running;
    const expected = arrivals(50, 4, 2).length;
    expect(result).toMatchObject({ offered: expected, completed: expected, unfinished: 0, rejected: 0, failures: {} });
    expect(sent.slice(0, 4)).toEqual(['a', 'b', 'c', 'a']);
    expect(result.latencies).toHaveLength(expected);
  });

  test('counts a request from when it was meant to be sent: a blocked event loop is part of its latency', async () => {
    const clock = performance.now.bind(performance);
    let blocked = 0;
    const now = vi.spyOn(performance, 'now').mockImplementation(() => clock() + blocked);
    const running = openLoop(
      () => {
        // As a library does that computes on the thread of its caller: time passes and no timer fires.
        blocked += 500;
        return Promise.resolve();
      },
      ['text'],
      { ...schedule, perSecond: 10 },
    );
    await vi.runAllTimersAsync();
    now.mockRestore();
    const { latencies, offered } = await running;
    expect(latencies).toHaveLength(offered);
    // Each takes 500 ms and ten a second arrive, so that the last ones have waited for all before them.
    expect(Math.max(...latencies)).toBeGreaterThan(2000);
  });

  test('a queue that is full is a rejection, other errors are failures, and neither has a latency', async () => {
    let sent = 0;
    const running = openLoop(
      () => {
        sent++;
        if (sent % 3 === 0) return Promise.reject(Object.assign(new Error('full'), { code: 'ERR_OVERLOADED' }));
        if (sent % 3 === 1) return Promise.reject(new Error('broken\nat a line of a stack'));
        return Promise.resolve();
      },
      ['text'],
      schedule,
    );
    await vi.runAllTimersAsync();
    const result = await running;
    expect(result.rejected).toBe(Math.floor(result.offered / 3));
    expect(result.failures).toEqual({ broken: Math.ceil(result.offered / 3) });
    expect(result.latencies).toHaveLength(result.completed);
    expect(result.completed + result.rejected + (result.failures.broken ?? 0)).toBe(result.offered);
  });

  test('what has no answer when the patience ends counts as infinitely slow', async () => {
    const running = openLoop(() => new Promise(() => undefined), ['text'], schedule);
    await vi.runAllTimersAsync();
    const result = await running;
    expect(result.unfinished).toBe(result.offered);
    expect(result.latencies.every((latency) => latency === Infinity)).toBe(true);
    expect(result.observedSeconds).toBeCloseTo(3, 1);
  });

  test('answers after the last arrival have a latency, but are not throughput', async () => {
    const running = openLoop(() => after(5000), ['text'], { ...schedule, drainSeconds: 10 });
    await vi.runAllTimersAsync();
    const result = await running;
    expect(result.completed).toBe(0);
    expect(result.unfinished).toBe(0);
    expect(Math.min(...result.latencies)).toBeGreaterThanOrEqual(5000);
  });

  test('ends early when told', async () => {
    const end = new AbortController();
    const running = openLoop(() => Promise.resolve(), ['text'], { ...schedule, seconds: Infinity, signal: end.signal });
    setTimeout(() => end.abort(), 1000);
    await vi.runAllTimersAsync();
    const { offered, seconds } = await running;
    expect(seconds).toBeGreaterThanOrEqual(1);
    expect(seconds).toBeLessThan(1.5);
    expect(offered).toBe(arrivals(50, 4, seconds).length);
  });
});

describe('closedLoop', () => {
  test('keeps as many requests under way as asked for, and sends every text once', async () => {
    let underWay = 0;
    let most = 0;
    const seen: string[] = [];
    const texts = Array.from({ length: 40 }, (_, index) => `text ${index}`);
    const running = closedLoop(
      async (text: string) => {
        seen.push(text);
        most = Math.max(most, ++underWay);
        await after(10);
        underWay--;
      },
      texts,
      { inFlight: 8 },
    );
    await vi.runAllTimersAsync();
    expect(await running).toMatchObject({ texts: 40, seconds: 0.05 });
    expect(most).toBe(8);
    expect(seen).toEqual(texts);
  });
});
