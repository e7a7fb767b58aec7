/** Times contestants in turns, so that whatever else the machine does hits all of them alike. */

/**
 * @typedef {object} Pace
 * @property {number} warmUpTexts embedded before the first round
 * @property {number} rounds at most, of each contestant
 * @property {number} secondsPerRound shorter work is repeated until it fills this
 * @property {number} allowance seconds after which a contestant gets no further round
 *
 * @typedef {object} Timing
 * @property {number[]} seconds for all texts once, of every round
 * @property {import('../drivers/driver.mjs').Vectors} [vectors] of the first round
 * @property {string} [failure] why there are no more rounds
 */

/**
 * @param {import('./contestant.mjs').Contestant[]} contestants
 * @param {string[]} texts
 * @param {Pace} pace
 * @returns {Promise<Map<import('./contestant.mjs').Contestant, Timing>>}
 */
export async function interleavedRounds(contestants, texts, { warmUpTexts, rounds, secondsPerRound, allowance }) {
  /** @type {Map<import('./contestant.mjs').Contestant, Timing & { used: number }>} */
  const timings = new Map(contestants.map((contestant) => [contestant, { seconds: [], used: 0 }]));
  /** @type {(contestant: import('./contestant.mjs').Contestant, work: () => Promise<void>) => Promise<void>} */
  const turn = async (contestant, work) => {
    try {
      await work();
    } catch (error) {
      timings.get(contestant).failure = /** @type {Error} */ (error).message.split('\n')[0];
    }
  };
  for (const contestant of contestants) {
    await turn(contestant, async () => void (await contestant.embed(texts.slice(0, warmUpTexts))));
  }
  for (let round = 0; round < rounds; round++) {
    for (let place = 0; place < contestants.length; place++) {
      // Each round begins with another contestant, so that none always follows the same one.
      const contestant = contestants[(place + round) % contestants.length];
      const timing = timings.get(contestant);
      if (timing.failure !== undefined || timing.used >= allowance) continue;
      await turn(contestant, async () => {
        const { seconds, times, vectors } = await contestant.round(texts, secondsPerRound);
        timing.vectors ??= vectors;
        timing.seconds.push(seconds);
        timing.used += seconds * times;
      });
    }
  }
  return timings;
}
