import { expect, test } from 'vitest';
import { simulate } from '../../bench/sharing/schedule.mjs';

const free = { transfer: 0, read: 0, post: 0, wake: 0 };
const schedules = ['one line', 'own lines'] as const;

test.each(schedules)('%s: without costs, work of even pieces takes its share of the time', (schedule) => {
  const works = [{ seconds: 0.012, units: 12 }];
  for (const threads of [1, 2, 3, 6, 12]) {
    expect(simulate({ works, layers: 2, threads, schedule, costs: free })).toBeCloseTo(0.024 / threads, 12);
  }
  // 12 pieces are not done sooner by 64 threads than by 12.
  expect(simulate({ works, layers: 1, threads: 64, schedule, costs: free })).toBeCloseTo(0.001, 12);
});

test.each(schedules)('%s: whoever is not there yet has its pieces done by others', (schedule) => {
  const works = [{ seconds: 1, units: 8 }];
  const late = { ...free, wake: 1000 };
  expect(simulate({ works, layers: 1, threads: 4, schedule, costs: late })).toBeCloseTo(1, 12);
});

test('lines of their own cost less than one that all look at, the more threads the more', () => {
  const works = [{ seconds: 2e-5, units: 48 }];
  const time = (schedule: (typeof schedules)[number], threads: number): number =>
    simulate({ works, layers: 100, threads, schedule });
  const gain = (threads: number): number => time('one line', threads) / time('own lines', threads);
  expect(gain(64)).toBeGreaterThan(gain(8));
  expect(gain(64)).toBeGreaterThan(2);
});
