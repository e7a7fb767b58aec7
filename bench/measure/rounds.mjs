/** Times contestants in turns, so that whatever else the machine does hits all of them alike. */
import { firstLine } from './gate.mjs';

/**
 * @typedef {object} Pace
 * @property {number} rounds at most, of each contestant
 * @property {number} secondsPerRound shorter work is repeated until it fills this
 * @property {number} allowance seconds after which a contestant gets no further round
 */

/**
 * @template Sample
 * @typedef {{ samples: Sample[], machine: number[], failure?: string }} Timing
 * `machine`: the rate of the machine around each sample, where it was asked for. `failure`: why there are no more.
 */

/**
 * @template Sample
 * @param {import('./contestant.mjs').Contestant[]} contestants
 * @param {Pick<Pace, 'rounds' | 'allowance'>} pace
 * @param {(contestant: import('./contestant.mjs').Contestant) => Promise<unknown>} warmUp
 * @param {(contestant: import('./contestant.mjs').Contestant) => Promise<Sample>} measure
 * @param {(contestant: import('./contestant.mjs').Contestant) => number | undefined} [machineRate] asked for just before
 *   and just after a sample
 * @returns {Promise<Map<import('./contestant.mjs').Contestant, Timing<Sample>>>}
 */
export async function interleavedRounds(contestants, { rounds, allowance }, warmUp, measure, machineRate) {
  /** @type {Map<import('./contestant.mjs').Contestant, Timing<Sample> & { used: number }>} */
  const timings = new Map(contestants.map((contestant) => [contestant, { samples: [], machine: [], used: 0 }]));
  for (const contestant of contestants) {
    await warmUp(contestant).catch((error) => (timings.get(contestant).failure = firstLine(error)));
  }
  for (let round = 0; round < rounds; round++) {
    for (let place = 0; place < contestants.length; place++) {
      // Each round begins with another contestant, so that none always follows the same one.
      const contestant = contestants[(place + round) % contestants.length];
      const timing = timings.get(contestant);
      if (timing.failure !== undefined || timing.used >= allowance) continue;
      const before = machineRate?.(contestant);
      const began = performance.now();
      try {
        timing.samples.push(await measure(contestant));
      } catch (error) {
        timing.failure = firstLine(error);
        continue;
      }
      timing.used += (performance.now() - began) / 1000;
      const after = machineRate?.(contestant);
      if (before !== undefined && after !== undefined) timing.machine.push((before + after) / 2);
    }
  }
  return timings;
}
