/** How long one short text takes when nothing else is asked for: bound by reading the weights. */
import { interleavedRounds } from './rounds.mjs';
import { median, percentile } from './statistics.mjs';
import { weightBytes } from './work.mjs';

/**
 * @typedef {object} LatencyRow
 * @property {string} driver
 * @property {string} name
 * @property {import('../drivers/driver.mjs').Dtype} dtype
 * @property {number} calls
 * @property {number} p50 milliseconds, as are p95 and p99
 * @property {number} p95
 * @property {number} p99
 * @property {number[]} medians of every round, milliseconds
 * @property {number} gigabytesPerSecond of the weights of the products, read once, at p50; NaN where the library chooses
 *   the precision
 * @property {string} [failure]
 *
 * @typedef {{ name: string, about: string, kind: 'latency', texts: number, rows: LatencyRow[],
 *   memory?: { gbps: number, best: number }, l3?: { gbps: number, best: number } }} LatencyResult
 */

/**
 * @param {object} options
 * @param {import('../cases/cases.mjs').Case} options.item
 * @param {string[]} options.texts
 * @param {import('./contestant.mjs').Contestant[]} options.contestants
 * @param {{ rounds: number, secondsPerRound: number, allowance: number }} options.pace
 * @param {import('./probe.mjs').Probe} options.probe
 * @param {import('./work.mjs').Shape} options.shape
 * @returns {Promise<LatencyResult>}
 */
export async function measureLatency({ item, texts, contestants, pace, probe, shape }) {
  const reads = [probe.read('memory_read')];
  const timings = await interleavedRounds(
    contestants,
    pace,
    (contestant) => contestant.latencies(texts, 0.2),
    (contestant) => contestant.latencies(texts, pace.secondsPerRound),
  );
  reads.push(probe.read('memory_read'));
  const l3 = probe.read('l3_read');
  const rows = contestants.map((contestant) => {
    const { samples, failure } = timings.get(contestant);
    const calls = samples.flat();
    const p50 = percentile(calls, 50);
    return {
      driver: contestant.driver,
      name: contestant.name,
      dtype: contestant.variant.dtype,
      calls: calls.length,
      p50,
      p95: percentile(calls, 95),
      p99: percentile(calls, 99),
      medians: samples.map(median),
      gigabytesPerSecond: weightBytes(shape, contestant.variant.dtype) / (p50 * 1e6),
      ...(failure !== undefined && { failure }),
    };
  });
  const [before, after] = reads;
  return {
    name: item.name,
    about: item.about,
    kind: 'latency',
    texts: texts.length,
    rows,
    ...(before &&
      after && { memory: { gbps: (before.gbps + after.gbps) / 2, best: Math.max(before.best, after.best) } }),
    ...(l3 && { l3 }),
  };
}
