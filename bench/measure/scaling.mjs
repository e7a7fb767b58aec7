/** What more threads bring: gteway with one and with all, beside what the machine itself gains. */
import { Contestant } from './contestant.mjs';
import { firstLine } from './gate.mjs';
import { multipliersOf } from './probe.mjs';
import { interleavedRounds } from './rounds.mjs';
import { median } from './statistics.mjs';

/**
 * @typedef {object} ScalingRow
 * @property {string} name
 * @property {number} threads
 * @property {number} one tokens/s with one thread
 * @property {number} all tokens/s with all
 * @property {number} gain of tokens/s, rounds beside each other
 * @property {number} [machineGain] of the rate of the instruction that multiplies this precision
 * @property {string} [failure]
 *
 * @typedef {{ name: string, about: string, kind: 'threads', texts: number, rows: ScalingRow[] }} ScalingResult
 */

/**
 * @param {object} options
 * @param {import('../cases/cases.mjs').Case} options.item
 * @param {string[]} options.texts
 * @param {(text: string) => number} options.count
 * @param {Contestant[]} options.contestants with all threads
 * @param {{ modelDirectory: string, threads: number }} options.parameters
 * @param {import('./rounds.mjs').Pace} options.pace
 * @param {import('./probe.mjs').Probe} options.probe
 * @param {string[]} options.flags
 * @returns {Promise<ScalingResult>}
 */
export async function measureScaling(options) {
  const { item, texts, count, contestants, parameters, pace, probe, flags } = options;
  const tokens = texts.reduce((sum, text) => sum + count(text), 0);
  /** @type {ScalingRow[]} */
  const rows = [];
  for (const contestant of contestants) {
    const alone = new Contestant(contestant.driver, contestant.variant);
    const row = { name: contestant.name, threads: parameters.threads };
    try {
      await alone.load({ ...parameters, threads: 1 });
      const timings = await interleavedRounds(
        [contestant, alone],
        pace,
        (either) => either.embed(texts),
        async (either) => (await either.round(texts, pace.secondsPerRound)).seconds,
      );
      const failure = timings.get(alone).failure ?? timings.get(contestant).failure;
      if (failure !== undefined) throw new Error(failure);
      const all = timings.get(contestant).samples;
      const one = timings.get(alone).samples;
      const pairs = Math.min(all.length, one.length);
      const instruction = multipliersOf(contestant.variant.dtype, flags)[0]?.instruction;
      const machineAll = probe.multiply(instruction);
      const machineOne = probe.multiply(instruction, 1);
      rows.push({
        ...row,
        one: tokens / median(one),
        all: tokens / median(all),
        gain: median(one.slice(0, pairs).map((seconds, round) => seconds / all[round])),
        ...(machineAll && machineOne && { machineGain: machineAll.gops / machineOne.gops }),
      });
    } catch (error) {
      rows.push({ ...row, one: NaN, all: NaN, gain: NaN, failure: firstLine(error) });
    } finally {
      await alone.stop();
    }
  }
  return { name: item.name, about: item.about, kind: 'threads', texts: texts.length, rows };
}
