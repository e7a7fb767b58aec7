import { describe, expect, test } from 'vitest';
import { changeOf, falseAlarms } from '../../bench/compare/judge.mjs';
import { comparisonText } from '../../bench/compare/report.mjs';
import { medianInterval, randomNumbers } from '../../bench/measure/statistics.mjs';

describe('the interval of a median', () => {
  test('cuts off as many values at either end as the risk allows', () => {
    const values = [8, 3, 1, 7, 2, 5, 6, 4];
    // All eight above the median, or all below: 2 / 2^8. One of them elsewhere: 2 × (1 + 8) / 2^8.
    expect(medianInterval(values, 2 / 256)).toEqual({ low: 1, high: 8 });
    expect(medianInterval(values, 18 / 256)).toEqual({ low: 2, high: 7 });
    expect(medianInterval(values, 17.9 / 256)).toEqual({ low: 1, high: 8 });
    expect(medianInterval(values, 74 / 256)).toEqual({ low: 3, high: 6 });
  });

  test('is everything where there are too few values for the risk', () => {
    expect(medianInterval([1, 2, 3], 0.2)).toEqual({ low: -Infinity, high: Infinity });
    expect(medianInterval([], 0.5)).toEqual({ low: -Infinity, high: Infinity });
    expect(medianInterval([1, 2, 3], 0.25)).toEqual({ low: 1, high: 3 });
  });

  test('leaves the values as they are, and never crosses', () => {
    const values = [2, 1];
    expect(medianInterval(values, 1)).toEqual({ low: 1, high: 2 });
    expect(values).toEqual([2, 1]);
  });
});

describe('the verdict', () => {
  const pairs = 15;
  const rows = 8;
  const random = randomNumbers(7);
  /** Noise as shared machines make it: most pairs within two percent, every twentieth up to 50 % off in either direction. */
  const noise = () => 1 + (random() - 0.5) * (random() < 1 / 20 ? 1 : 0.04);
  const ratios = (factor: number) => Array.from({ length: pairs }, () => (factor * noise()) / noise());
  const verdicts = (factor: number) => Array.from({ length: 1000 }, () => changeOf(ratios(factor), rows).verdict);

  test('of a build beside itself is no change, but for the false alarms it admits to', () => {
    const alarms = verdicts(1).filter((verdict) => verdict !== 'no change').length;
    // 1.25 are admitted to; so many come of it once in a hundred seeds, and the seed is fixed.
    expect(1000 * (falseAlarms / rows)).toBe(1.25);
    expect(alarms).toBeLessThanOrEqual(5);
  });

  test('finds what is five percent slower or faster through that noise', () => {
    expect(verdicts(1.05).filter((verdict) => verdict === 'slower').length).toBeGreaterThan(800);
    expect(verdicts(1 / 1.05).filter((verdict) => verdict === 'faster').length).toBeGreaterThan(800);
    expect(verdicts(1.05)).not.toContain('faster');
  });

  test('is none for a change below what is worth a line, however sure', () => {
    const sure = Array.from({ length: pairs }, () => 1.004);
    expect(changeOf(sure, rows)).toEqual({ ratio: 1.004, low: 1.004, high: 1.004, verdict: 'no change' });
    expect(
      changeOf(
        sure.map(() => 1.006),
        rows,
      ).verdict,
    ).toBe('slower');
  });

  test('is none from few pairs, however far apart', () => {
    expect(changeOf([2, 2, 2], rows).verdict).toBe('no change');
  });
});

test('the report names what changed, what cannot be compared and whose vectors are others', () => {
  const change = changeOf(
    Array.from({ length: 15 }, () => 1.1),
    1,
  );
  const text = comparisonText({
    ...{ before: 'aaaaaaa one', after: 'bbbbbbb two', threads: 2, seconds: 40 },
    machine: { cpu: 'A processor', node: 'v20.19.0', load: [0.5] } as never,
    rows: [{ name: 'mixed, defaults', measure: 'time', before: 100, after: 110, pairs: 15, change }],
    vectors: [{ name: 'mixed, defaults', cosine: 0.5, wrong: true }],
    missing: [{ name: 'encoder int8', reason: 'runs on ort' }],
  });
  expect(text).toContain('slower: mixed, defaults, time +10.0 %');
  expect(text).toContain('OTHER VECTORS: mixed, defaults');
  expect(text).toContain('encoder int8: left out, runs on ort');
  expect(text).not.toContain('no change beyond noise');
});
