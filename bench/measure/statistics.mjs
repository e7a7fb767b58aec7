/** The few statistics that the benches report, and the seeded randomness that makes their runs repeatable. */

/** @param {ArrayLike<number>} values */
export function median(values) {
  return percentile(values, 50);
}

/**
 * Linearly interpolated between the two nearest ranks, as numpy does by default; NaN of no values. Infinity is a value:
 * a request that never ended is slower than all that did.
 *
 * @param {ArrayLike<number>} values in any order
 * @param {number} percent 0 to 100
 */
export function percentile(values, percent) {
  const sorted = Float64Array.from(values).sort();
  if (sorted.length === 0) return NaN;
  const position = (percent / 100) * (sorted.length - 1);
  const below = sorted[Math.floor(position)];
  const above = sorted[Math.ceil(position)];
  return below === above ? below : below + (above - below) * (position - Math.floor(position));
}

/**
 * Half of what lies between the smallest and the largest, in percent of the median.
 *
 * @param {number[]} values
 */
export function spreadPercent(values) {
  return (50 * (Math.max(...values) - Math.min(...values))) / median(values);
}

/**
 * Where the median of what the values are drawn from lies: between two of the values, of the same rank from below and from
 * above. Exact for independent values of any distribution, since each is above that median with probability one half, and
 * as narrow as the risk allows.
 *
 * @param {number[]} values
 * @param {number} risk the probability that it lies elsewhere, at most
 * @returns {{ low: number, high: number }} -Infinity and Infinity where there are too few values for that risk
 */
export function medianInterval(values, risk) {
  const sorted = Float64Array.from(values).sort();
  const count = sorted.length;
  // Of `rank` values cut off at either end: how probable it is that the median is among or beyond them.
  let probability = 0;
  let term = 2 * 0.5 ** count;
  let rank = 0;
  while (rank < count / 2 && probability + term <= risk) {
    probability += term;
    term *= (count - rank) / (rank + 1);
    rank++;
  }
  return rank === 0 ? { low: -Infinity, high: Infinity } : { low: sorted[rank - 1], high: sorted[count - rank] };
}

/**
 * The line that fits points best by least squares.
 *
 * @param {number[]} x
 * @param {number[]} y
 * @returns {{ slope: number, intercept: number }} slope 0 where all x are the same
 */
export function fitLine(x, y) {
  const mean = (/** @type {number[]} */ values) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const meanX = mean(x);
  const meanY = mean(y);
  let covariance = 0;
  let variance = 0;
  x.forEach((value, index) => {
    covariance += (value - meanX) * (y[index] - meanY);
    variance += (value - meanX) ** 2;
  });
  const slope = variance === 0 ? 0 : covariance / variance;
  return { slope, intercept: meanY - slope * meanX };
}

/**
 * Numbers in [0, 1): a linear congruential generator (Numerical Recipes), its upper bits.
 *
 * @param {number} seed
 * @returns {() => number}
 */
export function randomNumbers(seed) {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state >>> 8) / 2 ** 24;
  };
}

/**
 * The times between the arrivals of a Poisson process: independent of each other, exponentially distributed.
 *
 * @param {number} perSecond the mean rate
 * @param {number} seed
 * @returns {() => number} the next gap, in milliseconds
 */
export function poissonGaps(perSecond, seed) {
  const random = randomNumbers(seed);
  return () => (-Math.log(1 - random()) * 1000) / perSecond;
}

/**
 * In place (Fisher and Yates).
 *
 * @template T
 * @param {T[]} items
 * @param {number} seed
 */
export function shuffle(items, seed) {
  const random = randomNumbers(seed);
  for (let last = items.length - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1));
    [items[last], items[other]] = [items[other], items[last]];
  }
  return items;
}
