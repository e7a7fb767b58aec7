import { describe, expect, test } from 'vitest';
import {
  cosine,
  kendall,
  mean,
  ndcgAt,
  overlapAt,
  recallAt,
  spearman,
  topRanked,
} from '../../bench/quality/metrics.mjs';

describe('topRanked', () => {
  test('puts the highest first, of equals the earlier, and leaves out what was not found', () => {
    expect(topRanked([0.1, 0.9, -Infinity, 0.9, -2], 10)).toEqual([1, 3, 0, 4]);
    expect(topRanked(Float32Array.of(3, 1, 2), 2)).toEqual([0, 2]);
  });
});

describe('recallAt', () => {
  test('looks at the first k only, and one of several answers suffices', () => {
    expect(recallAt([7, 3, 5], new Set([3]), 1)).toBe(0);
    expect(recallAt([7, 3, 5], new Set([3]), 2)).toBe(1);
    expect(recallAt([7, 3, 5], new Set([9, 7]), 1)).toBe(1);
    expect(recallAt([], new Set([9]), 10)).toBe(0);
  });
});

describe('ndcgAt', () => {
  test('of one answer is 1 / log2(rank + 1)', () => {
    expect(ndcgAt([4, 2], new Set([4]), 10)).toBe(1);
    expect(ndcgAt([2, 4], new Set([4]), 10)).toBeCloseTo(0.63093, 5);
    expect(ndcgAt([1, 2, 4], new Set([4]), 10)).toBeCloseTo(0.5, 12);
    expect(ndcgAt([1, 2, 4], new Set([4]), 2)).toBe(0);
  });

  test('of several is the gain over the best possible: ranks 2 and 3 of three answers', () => {
    // (0.63093 + 0.5) / (1 + 0.63093 + 0.5)
    expect(ndcgAt([0, 1, 2], new Set([1, 2, 8]), 10)).toBeCloseTo(0.530721, 5);
    // Three answers, of which two at most fit into the first two.
    expect(ndcgAt([1, 2], new Set([1, 2, 8]), 2)).toBe(1);
  });

  test('of no answer does not exist', () => {
    expect(() => ndcgAt([1], new Set(), 10)).toThrow(RangeError);
  });
});

describe('spearman', () => {
  test('compares ranks, not values', () => {
    expect(spearman([1, 2, 3, 4], [10, 100, 1000, 10000])).toBeCloseTo(1, 12);
    expect(spearman([1, 2, 3, 4], [4, 3, 2, 1])).toBeCloseTo(-1, 12);
    // d² = 1 + 1 + 0 + 0: 1 − 6 · 2 / (4 · 15)
    expect(spearman([1, 2, 3, 4], [2, 1, 3, 4])).toBeCloseTo(0.8, 12);
  });

  test('gives equal values the mean of their ranks', () => {
    // Ranks 1, 2.5, 2.5, 4 and 1, 2, 3, 4: 4.5 / √(4.5 · 5).
    expect(spearman([1, 2, 2, 3], [1, 2, 3, 4])).toBeCloseTo(0.948683, 6);
    expect(spearman([1, 1], [1, 2])).toBeNaN();
  });
});

describe('kendall', () => {
  test('counts pairs in order less pairs out of order', () => {
    expect(kendall([1, 2, 3, 4], [2, 1, 3, 4])).toBeCloseTo(4 / 6, 12);
    expect(kendall([3, 2, 1], [1, 2, 3])).toBeCloseTo(-1, 12);
  });

  test('leaves ties out of the side that has them', () => {
    // Two pairs agree, one is tied on the left: 2 / √(2 · 3).
    expect(kendall([1, 1, 2], [1, 2, 3])).toBeCloseTo(0.816497, 6);
  });
});

describe('the rest', () => {
  test('overlap counts what both have among their first k', () => {
    expect(overlapAt([1, 2, 3, 4], [4, 3, 9, 1], 2)).toBe(0);
    expect(overlapAt([1, 2, 3, 4], [4, 3, 9, 1], 4)).toBe(0.75);
  });

  test('the cosine of 3-4-5 and an axis; the mean', () => {
    expect(cosine([3, 4], [2, 0])).toBeCloseTo(0.6, 12);
    expect(cosine([0, 0], [2, 0])).toBeNaN();
    expect(mean([1, 2, 6])).toBe(3);
  });
});
