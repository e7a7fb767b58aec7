/**
 * The picture of a run: tokens per second of every competitor on the texts of every corpus, as small bar charts that share
 * their rows. SVG without scripts or fonts of its own, readable on light and dark pages.
 */

const labelWidth = 232;
const columnWidth = 152;
const columnGap = 10;
/** Room for the figure right of the longest bar. */
const valueWidth = 52;
const rowHeight = 24;
const barHeight = 14;
const groupGap = 10;
const top = 100;
/** From the middle of a row to the baseline of its text: half the height of a digit. Not every reader knows another way. */
const baseline = 4.5;

/**
 * @typedef {object} Chart
 * @property {string} title
 * @property {string} subtitle
 * @property {string} footer
 * @property {{ name: string, about: string }[]} columns
 * @property {ChartRow[][]} groups
 *
 * @typedef {object} ChartRow
 * @property {string} label
 * @property {string} [detail] in a quieter colour behind the label
 * @property {'ours' | 'theirs'} whose
 * @property {(number | undefined)[]} values one for every column; undefined: not measured
 */

/** @param {Chart} chart */
export function groupedBars({ title, subtitle, footer, columns, groups }) {
  const width = labelWidth + columns.length * columnWidth + (columns.length - 1) * columnGap;
  const rows = groups.flat();
  const height = top + rows.length * rowHeight + (groups.length - 1) * groupGap + 34;
  const left = (/** @type {number} */ column) => labelWidth + column * (columnWidth + columnGap);
  const largest = columns.map((_, column) => Math.max(...rows.map(({ values }) => values[column] ?? 0)));
  const best = columns.map((_, column) =>
    Math.max(...rows.filter(({ whose }) => whose === 'theirs').map(({ values }) => values[column] ?? 0)),
  );

  const parts = columns.map(
    ({ name, about }, column) =>
      `<text class="column" x="${left(column)}" y="70">${escape(name)}</text>` +
      `<text class="quiet small" x="${left(column)}" y="87">${escape(about)}</text>`,
  );
  let y = top;
  for (const group of groups) {
    for (const { label, detail, whose, values } of group) {
      const middle = y + rowHeight / 2;
      const quiet = detail === undefined ? '' : `<tspan class="quiet" dx="6">${escape(detail)}</tspan>`;
      parts.push(`<text class="${whose}-label" x="0" y="${middle + baseline}">${escape(label)}${quiet}</text>`);
      values.forEach((value, column) => {
        const x = left(column);
        if (value === undefined) {
          parts.push(`<text class="quiet small" x="${x}" y="${middle + baseline}">not measured</text>`);
          return;
        }
        const length = Math.max(2, (value / largest[column]) * (columnWidth - valueWidth));
        const strong = whose === 'ours' || value === best[column] ? ' strong' : '';
        parts.push(
          `<rect class="${whose}" x="${x}" y="${middle - barHeight / 2}" width="${length.toFixed(1)}" height="${barHeight}" rx="2.5"/>` +
            `<text class="value${strong}" x="${(x + length + 6).toFixed(1)}" y="${middle + baseline - 0.5}">${short(value)}</text>`,
        );
      });
      y += rowHeight;
    }
    y += groupGap;
  }
  parts.push(`<text class="quiet small" x="0" y="${height - 12}">${escape(footer)}</text>`);
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-labelledby="title subtitle">
<style>
text { font: 12.5px system-ui, -apple-system, "Segoe UI", Helvetica, Arial, sans-serif; fill: #1f2328; }
.title { font-size: 17px; font-weight: 600; }
.column { font-size: 13px; font-weight: 600; }
.small { font-size: 11px; }
.ours-label { font-weight: 600; }
.quiet, .value { fill: #59636e; }
.quiet { font-weight: 400; }
.value { font-size: 11.5px; font-variant-numeric: tabular-nums; }
.strong { fill: #1f2328; font-weight: 600; }
.ours { fill: #12805c; }
.theirs { fill: #a4acb5; }
@media (prefers-color-scheme: dark) {
text, .strong { fill: #f0f6fc; }
.quiet, .value { fill: #9198a1; }
.value.strong { fill: #f0f6fc; }
.ours { fill: #2fb886; }
.theirs { fill: #59626c; }
}
</style>
<text id="title" class="title" x="0" y="18">${escape(title)}</text>
<text id="subtitle" class="quiet" x="0" y="41">${escape(subtitle)}</text>
${parts.join('\n')}
</svg>
`;
}

/**
 * Three significant digits, thousands as k.
 *
 * @param {number} value
 */
function short(value) {
  if (value < 1000) return value.toPrecision(value < 100 ? 2 : 3);
  const thousands = value / 1000;
  return `${thousands.toFixed(thousands < 10 ? 2 : thousands < 100 ? 1 : 0)}k`;
}

/** @param {string} text */
function escape(text) {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}

/**
 * The chart of a run's corpus cases: gteway's fastest way that keeps a cosine of 0.9999 and its fastest int8, above
 * everyone else's ways.
 *
 * @param {Awaited<ReturnType<typeof import('../suite.mjs').runCases>>} result
 */
export function runChart({ cases, machine, threads, quick }) {
  const shown = cases.flatMap((item) => (item.kind === 'corpus' ? [item] : []));
  if (shown.length === 0) throw new Error('a chart needs one of the cases queries, sentences, passages, mixed');
  const speed = (/** @type {string} */ name, /** @type {import('../measure/throughput.mjs').CaseResult} */ { rows }) =>
    rows.find((row) => row.name === name && row.failure === undefined)?.tokensPerSecond;
  const names = [...new Map(shown.flatMap(({ rows }) => rows).map((row) => [row.name, row])).values()];
  /** Over all columns: no column decides alone who is in the picture, and in which order. */
  const overall = (/** @type {string} */ name) =>
    shown.reduce((sum, item) => sum + Math.log(speed(name, item) ?? 1), 0);
  const ordered = (/** @type {typeof names} */ rows) => [...rows].sort((a, b) => overall(b.name) - overall(a.name));
  const ours = names.filter(
    ({ driver, dtype, way, forced }) => driver === 'gteway' && dtype !== 'auto' && way === 'together' && !forced,
  );
  const picked = [ours.filter(({ dtype }) => dtype !== 'int8'), ours.filter(({ dtype }) => dtype === 'int8')]
    .flatMap((some) => ordered(some).slice(0, 1))
    .map((row) => row.name);
  /** @type {(name: string, whose: 'ours' | 'theirs') => ChartRow} */
  const chartRow = (name, whose) => {
    const [plain, detail] = name.split(', ', 2);
    const label = plain.replace(/ (encoder|ort) /, ' ');
    return { label, ...(detail && { detail }), whose, values: shown.map((item) => speed(name, item)) };
  };
  return groupedBars({
    title: 'Embedding with a model of gte-small’s size: tokens per second',
    subtitle: `${machine.cpu}, ${threads} threads, Node ${machine.node.slice(1)}; longer bars are faster`,
    footer: `npm run bench${quick ? ' -- --quick' : ''}, ${machine.date.slice(0, 10)}; medians of interleaved rounds, real tokens, same texts and files for all`,
    columns: shown.map(({ name, texts, tokens }) => ({
      name,
      about: `${Math.round(tokens / texts)} tokens on average`,
    })),
    groups: [
      picked.map((name) => chartRow(name, 'ours')),
      ordered(names.filter(({ driver }) => driver !== 'gteway')).map(({ name }) => chartRow(name, 'theirs')),
    ].filter((group) => group.length > 0),
  });
}
