/** What pairs of measurements say: faster, slower, or nothing. */
import { median, medianInterval } from '../measure/statistics.mjs';

/**
 * How often a run may name a change where there is none: of all rows of a run together, so each row gets its share.
 */
export const falseAlarms = 0.01;

/** A change that is smaller is not worth a line, however sure it is: two builds of one source differ by as much. */
export const leastChange = 0.005;

/**
 * @typedef {object} Change
 * @property {number} ratio of this checkout's time to the other's, the median of all pairs of processes
 * @property {number} low
 * @property {number} high
 * @property {'faster' | 'slower' | 'no change'} verdict
 */

/**
 * @param {number[]} ratios one for each pair of fresh processes: this checkout's time over the other's
 * @param {number} rows how many there are in this run
 * @returns {Change}
 */
export function changeOf(ratios, rows) {
  const { low, high } = medianInterval(ratios, falseAlarms / rows);
  const ratio = median(ratios);
  const verdict =
    high < 1 && ratio < 1 - leastChange ? 'faster' : low > 1 && ratio > 1 + leastChange ? 'slower' : 'no change';
  return { ratio, low, high, verdict };
}
