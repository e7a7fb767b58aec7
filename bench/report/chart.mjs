/** A horizontal bar chart as SVG, readable on light and dark pages, without scripts or fonts of its own. */

/**
 * @param {{ title: string, subtitle: string, unit: string, bars: { label: string, value: number, ours: boolean }[] }} chart
 * @returns {string}
 */
export function barChart({ title, subtitle, unit, bars }) {
  const width = 760;
  const labelWidth = 270;
  const valueWidth = 120;
  const barHeight = 18;
  const step = 28;
  const top = 64;
  const height = top + bars.length * step + 8;
  const largest = Math.max(...bars.map(({ value }) => value));
  const rows = bars.map(({ label, value, ours }, index) => {
    const y = top + index * step;
    const length = Math.max(1, (value / largest) * (width - labelWidth - valueWidth));
    const middle = y + barHeight / 2;
    return (
      `<text class="label" x="${labelWidth - 10}" y="${middle}" text-anchor="end">${escape(label)}</text>` +
      `<rect class="${ours ? 'ours' : 'theirs'}" x="${labelWidth}" y="${y}" width="${length.toFixed(1)}" height="${barHeight}" rx="3"/>` +
      `<text class="value" x="${(labelWidth + length + 8).toFixed(1)}" y="${middle}">${escape(format(value))}</text>`
    );
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-labelledby="title subtitle">
<style>
text { font: 13px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #1f2328; dominant-baseline: central; }
.title { font-size: 16px; font-weight: 600; }
.subtitle, .value { fill: #59636e; }
.value { font-variant-numeric: tabular-nums; }
.ours { fill: #1a7f5a; }
.theirs { fill: #8c959f; }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3; }
.subtitle, .value { fill: #9198a1; }
.ours { fill: #3fb98a; }
.theirs { fill: #656c76; }
}
</style>
<text id="title" class="title" x="8" y="18">${escape(title)}</text>
<text id="subtitle" class="subtitle" x="8" y="40">${escape(`${subtitle} · ${unit}`)}</text>
${rows.join('\n')}
</svg>
`;
}

/** @param {number} value */
function format(value) {
  return value.toLocaleString('en', { maximumFractionDigits: value < 100 ? 1 : 0 });
}

/** @param {string} text */
function escape(text) {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}

/**
 * Tokens per second of every variant on the mixed texts (or the last case, without those), fastest first.
 *
 * @param {Awaited<ReturnType<typeof import('../suite.mjs').runCases>>} result
 */
export function caseChart({ cases, machine, threads }) {
  const shown = cases.find(({ name }) => name === 'mixed') ?? cases[cases.length - 1];
  const bars = shown.rows
    .filter(({ failure }) => failure === undefined)
    .map(({ name, driver, tokensPerSecond }) => ({ label: name, value: tokensPerSecond, ours: driver === 'gteway' }))
    .sort((a, b) => b.value - a.value);
  return barChart({
    title: `Embedding ${shown.about}`,
    subtitle: `${machine.cpu}, ${threads} threads`,
    unit: 'tokens per second, more is better',
    bars,
  });
}
