/** Times contestants in turns, so that whatever else the machine does hits all of them alike. */

/**
 * @typedef {{ rounds: number, secondsPerRound: number, allowance: number }} Pace
 * `rounds`: most rounds of a contestant. `secondsPerRound`: shorter work is repeated until it fills this.
 * `allowance`: seconds after which a contestant gets no further round.
 *
 * @typedef {{ seconds: number[], times: number }} Timing
 */

/**
 * @param {import('./contestant.mjs').Contestant[]} contestants already warm
 * @param {string[]} texts
 * @param {Pace} pace
 * @returns {Promise<Map<import('./contestant.mjs').Contestant, Timing>>} seconds for all texts once, of every round
 */
export async function interleavedRounds(contestants, texts, { rounds, secondsPerRound, allowance }) {
  const timings = new Map(contestants.map((contestant) => [contestant, { seconds: [], times: 0, used: 0 }]));
  for (let round = 0; round < rounds; round++) {
    // Each round begins with another contestant, so that none always follows the same one.
    for (let turn = 0; turn < contestants.length; turn++) {
      const contestant = contestants[(turn + round) % contestants.length];
      const timing = timings.get(contestant);
      if (timing.used >= allowance) continue;
      const { seconds, times } = await contestant.round(texts, secondsPerRound);
      timing.seconds.push(seconds);
      timing.times += times;
      timing.used += seconds * times;
    }
  }
  return timings;
}

/** @param {number[]} values */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
