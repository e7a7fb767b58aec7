/** A comparison as text for a terminal. */
import { cosineText, number, table } from '../report/table.mjs';

/** @param {import('./run.mjs').Comparison} comparison */
export function comparisonText({ before, after, machine, threads, seconds, rows, vectors, missing }) {
  const percent = (/** @type {number} */ ratio) =>
    Number.isFinite(ratio) ? `${ratio < 1 ? '−' : '+'}${Math.abs(100 * (ratio - 1)).toFixed(1)} %` : '–';
  const lines = rows.map(({ name, measure, before: one, after: other, pairs, change }) => [
    `${name}: ${measure}`,
    number(one),
    number(other),
    percent(change.ratio),
    `${percent(change.low)} … ${percent(change.high)}`,
    String(pairs),
    change.verdict,
  ]);
  const changed = rows.filter(({ change }) => change.verdict !== 'no change');
  const wrong = vectors.filter((entry) => entry.wrong);
  return [
    `before: ${before}\nafter:  ${after}`,
    `${machine.cpu}, ${threads} threads, Node ${machine.node}, load ${machine.load[0].toFixed(1)}; ${Math.round(seconds)} s`,
    '',
    table(['', 'before, ms', 'after, ms', 'change', 'between', 'pairs', ''], lines),
    '',
    ...missing.map(({ name, reason }) => `${name}: left out, ${reason}`),
    `least cosine between the vectors of both: ${vectors.map(({ name, cosine }) => `${name} ${cosineText(cosine)}`).join('; ')}`,
    ...wrong.map(({ name }) => `OTHER VECTORS: ${name}`),
    changed.length === 0
      ? 'no change beyond noise'
      : changed
          .map(({ name, measure, change }) => `${change.verdict}: ${name}, ${measure} ${percent(change.ratio)}`)
          .join('\n'),
  ].join('\n');
}
