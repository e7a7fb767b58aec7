import { describe, expect, test } from 'vitest';
import {
  fitLine,
  median,
  percentile,
  poissonGaps,
  randomNumbers,
  shuffle,
  spreadPercent,
} from '../../bench/measure/statistics.mjs';

describe('percentile', () => {
  test('interpolates between ranks as numpy.percentile does', () => {
    const values = [15, 20, 35, 40, 50];
    expect(percentile(values, 0)).toBe(15);
    expect(percentile(values, 40)).toBeCloseTo(29, 12);
    expect(percentile(values, 95)).toBeCloseTo(48, 12);
    expect(percentile(values, 100)).toBe(50);
  });

  test('takes values in any order, leaves them as they are, and compares numbers, not strings', () => {
    const values = [100, 9, 11];
    expect(percentile(values, 50)).toBe(11);
    expect(values).toEqual([100, 9, 11]);
    expect(percentile(Float64Array.of(3, 1, 2), 50)).toBe(2);
  });

  test('counts what never ended as slower than everything', () => {
    expect(percentile([1, 2, 3, Infinity], 50)).toBe(2.5);
    expect(percentile([1, Infinity, Infinity], 50)).toBe(Infinity);
    expect(percentile([1, 2, Infinity, Infinity], 99)).toBe(Infinity);
  });

  test('of nothing is NaN, of one value that value', () => {
    expect(percentile([], 50)).toBeNaN();
    expect(percentile([7], 99)).toBe(7);
  });
});

test('median is the middle value, or the mean of the middle two', () => {
  expect(median([3, 1, 2])).toBe(2);
  expect(median([4, 1, 3, 2])).toBe(2.5);
});

test('spreadPercent is half the range over the median', () => {
  expect(spreadPercent([9, 10, 12])).toBe(15);
  expect(spreadPercent([5])).toBe(0);
});

describe('fitLine', () => {
  test('finds the line that points lie on', () => {
    const { slope, intercept } = fitLine([0, 1, 2, 5], [3, 5, 7, 13]);
    expect(slope).toBeCloseTo(2, 12);
    expect(intercept).toBeCloseTo(3, 12);
  });

  test('finds no slope in noise that does not grow, nor where there is one x', () => {
    expect(fitLine([0, 1, 2, 3], [1, -1, -1, 1]).slope).toBeCloseTo(0, 12);
    expect(fitLine([2, 2], [1, 5])).toEqual({ slope: 0, intercept: 3 });
  });
});

describe('poissonGaps', () => {
  const gaps = (rate: number, seed: number, count: number): number[] => {
    const next = poissonGaps(rate, seed);
    return Array.from({ length: count }, next);
  };

  test('gives the same gaps for the same seed, others for another', () => {
    expect(gaps(50, 1, 20)).toEqual(gaps(50, 1, 20));
    expect(gaps(50, 1, 20)).not.toEqual(gaps(50, 2, 20));
  });

  test('has the mean and the deviation of an exponential distribution', () => {
    const all = gaps(40, 7, 20_000);
    const mean = all.reduce((sum, gap) => sum + gap, 0) / all.length;
    const deviation = Math.sqrt(all.reduce((sum, gap) => sum + (gap - mean) ** 2, 0) / all.length);
    expect(mean).toBeGreaterThan(24.25);
    expect(mean).toBeLessThan(25.75);
    expect(deviation / mean).toBeGreaterThan(0.96);
    expect(deviation / mean).toBeLessThan(1.04);
    expect(Math.min(...all)).toBeGreaterThanOrEqual(0);
    expect(all.every(Number.isFinite)).toBe(true);
  });
});

test('randomNumbers lie in [0, 1) and fill it evenly', () => {
  const next = randomNumbers(3);
  const numbers = Array.from({ length: 10_000 }, next);
  expect(numbers.every((value) => value >= 0 && value < 1)).toBe(true);
  for (let tenth = 0; tenth < 10; tenth++) {
    const inside = numbers.filter((value) => Math.floor(value * 10) === tenth).length;
    expect(inside).toBeGreaterThan(900);
    expect(inside).toBeLessThan(1100);
  }
});

test('shuffle keeps every item, and depends on the seed alone', () => {
  const items = Array.from({ length: 50 }, (_, index) => index);
  const shuffled = shuffle([...items], 5);
  expect(shuffled).not.toEqual(items);
  expect([...shuffled].sort((a, b) => a - b)).toEqual(items);
  expect(shuffle([...items], 5)).toEqual(shuffled);
});
