/** Results as text for a terminal. */

/**
 * @param {string[]} heading the first column is left-aligned, the others to the right
 * @param {string[][]} rows
 */
export function table(heading, rows) {
  const widths = heading.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column].length)));
  const line = (/** @type {string[]} */ cells) =>
    cells
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[column]) : cell.padStart(widths[column])))
      .join('  ')
      .trimEnd();
  return [line(heading), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n');
}

/** @param {number} value three significant digits or more, thousands separated */
export function number(value) {
  if (!Number.isFinite(value)) return '–';
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/** @param {number} bytes */
export function mebibytes(bytes) {
  return `${Math.round(bytes / 2 ** 20).toLocaleString('en')} MiB`;
}

/** @param {number} cosine */
export function cosineText(cosine) {
  return Number.isNaN(cosine) ? '–' : (Math.floor(cosine * 1e6) / 1e6).toFixed(6);
}

/**
 * The table of one case.
 *
 * @param {import('../measure/throughput.mjs').CaseResult} result
 */
export function caseTable({ name, about, texts, tokens, rows }) {
  const heading = [
    '',
    'texts/s',
    'tokens/s',
    '± %',
    'rounds',
    'GFLOP/s',
    'of machine',
    'gteway is ×',
    'its int8 ×',
    'least cosine',
  ];
  const optional = (/** @type {number | undefined} */ value) => (value === undefined ? '–' : number(value));
  const lines = rows.map((row) => [
    row.name,
    row.failure === undefined ? number(row.textsPerSecond) : 'not timed',
    row.failure === undefined ? number(row.tokensPerSecond) : '–',
    row.failure === undefined ? number(row.spreadPercent) : '–',
    String(row.rounds),
    row.failure === undefined ? number(row.gflops) : '–',
    row.ofMachine === undefined ? '–' : `${Math.round(100 * row.ofMachine)} %`,
    optional(row.ratios?.exact),
    optional(row.ratios?.int8),
    cosineText(row.leastCosine),
  ]);
  const settings = [
    ...rows.filter(({ setting }) => setting).map((row) => `  ${row.name}: ${row.setting}`),
    ...rows.filter((row) => row.texts !== texts).map((row) => `  ${row.name}: ${row.texts} texts`),
  ];
  const failures = rows.filter((row) => row.failure !== undefined).map((row) => `  ${row.name}: ${row.failure}`);
  const title = `${name}: ${about}; ${texts} texts, ${tokens.toLocaleString('en')} tokens`;
  return [title, table(heading, lines), ...settings, ...failures].join('\n');
}

/**
 * Tokens/s by length, of all cases of equal lengths: products cost the same for every token, attention more in long texts.
 *
 * @param {import('../measure/throughput.mjs').CaseResult[]} results
 */
export function lengthsTable(results) {
  const names = [...new Set(results.flatMap(({ rows }) => rows.map(({ name }) => name)))];
  const lines = names.map((name) => [
    name,
    ...results.map(({ rows }) => number(rows.find((row) => row.name === name && !row.failure)?.tokensPerSecond ?? NaN)),
  ]);
  const heading = ['', ...results.map(({ tokens, texts }) => `${Math.round(tokens / texts)} tokens`)];
  return ['tokens/s by the length of the texts', table(heading, lines)].join('\n');
}

/** @param {import('../measure/latency.mjs').LatencyResult} result */
export function latencyTable({ name, about, rows, memory, l3 }) {
  const heading = ['', 'p50 ms', 'p95 ms', 'p99 ms', 'calls', 'weights read, GB/s'];
  const lines = rows.map((row) => [
    row.name,
    ...[row.p50, row.p95, row.p99].map(number),
    String(row.calls),
    number(row.gigabytesPerSecond),
  ]);
  const failures = rows.filter((row) => row.failure !== undefined).map((row) => `  ${row.name}: ${row.failure}`);
  const rate = (/** @type {{ gbps: number, best: number }} */ { gbps, best }) =>
    `${number(gbps)} GB/s (at best ${number(best)})`;
  const machine = memory
    ? [`  this machine reads memory at ${rate(memory)}${l3 ? ` and its last-level cache at ${rate(l3)}` : ''}`]
    : [];
  return [`${name}: ${about}`, table(heading, lines), ...machine, ...failures].join('\n');
}

/** @param {import('../measure/scaling.mjs').ScalingResult} result */
export function scalingTable({ name, about, rows }) {
  const heading = ['', 'tokens/s, one thread', `${rows[0]?.threads ?? ''} threads`, 'gain', "the machine's"];
  const lines = rows.map((row) => [row.name, ...[row.one, row.all, row.gain, row.machineGain ?? NaN].map(number)]);
  const failures = rows.filter((row) => row.failure !== undefined).map((row) => `  ${row.name}: ${row.failure}`);
  return [`${name}: ${about}`, table(heading, lines), ...failures].join('\n');
}

/** @param {import('./goals.mjs').Verdict[]} goals */
export function goalsText(goals) {
  return goals.map(({ goal, measured, met }) => `${met ? 'met' : 'MISSED'}: ${goal}: ${measured}`).join('\n');
}

/**
 * @param {{ name: string, leastCosine: number, failure?: string }[]} gate
 * @param {number} texts
 */
export function gateTable(gate, texts) {
  const lines = gate.map(({ name, leastCosine, failure }) => [
    name,
    cosineText(leastCosine),
    failure ? 'left out' : 'ok',
  ]);
  return [`gate: ${texts} texts against float64 vectors`, table(['', 'least cosine', ''], lines)].join('\n');
}

/** @param {{ name: string, failure?: string, info?: Record<string, unknown>, milliseconds?: number, before?: number, after?: number, afterTexts?: number }[]} processes */
export function processTable(processes) {
  const lines = processes.map((entry) =>
    entry.failure === undefined
      ? [
          entry.name,
          String(entry.info.version ?? '–'),
          `${number(entry.milliseconds)} ms`,
          mebibytes(entry.before),
          mebibytes(entry.after),
          mebibytes(entry.afterTexts),
        ]
      : [entry.name, 'not here', '–', '–', '–', '–'],
  );
  const failures = processes.filter(({ failure }) => failure).map(({ name, failure }) => `  ${name}: ${failure}`);
  const heading = ['', 'version', 'load', 'before load', 'after load', 'after the texts'];
  return ['processes: time to load, resident size', table(heading, lines), ...failures].join('\n');
}

/** @param {Awaited<ReturnType<typeof import('../measure/memory.mjs').memoryOverTime>>[]} growth */
export function growthTable(growth) {
  if (growth.length === 0) return 'memory over time: no variant of gteway ran';
  const lines = growth.map((entry) => [
    entry.name,
    mebibytes(entry.before),
    mebibytes(entry.afterLoad),
    mebibytes(entry.afterTexts),
    `${entry.growth > 0 ? '+' : ''}${mebibytes(entry.growth)} over ${entry.growthOver}`,
  ]);
  const heading = [
    '',
    'before load',
    'after load',
    `after ${growth[0].texts.toLocaleString('en')} texts`,
    'load/close cycles',
  ];
  return ['memory over time: resident size', table(heading, lines)].join('\n');
}

/** @param {number} milliseconds Infinity: no answer came while it was waited for */
export function latencyText(milliseconds) {
  if (milliseconds === Infinity) return 'no answer';
  if (Number.isNaN(milliseconds)) return '–';
  return milliseconds.toLocaleString('en', { maximumFractionDigits: milliseconds < 100 ? 1 : 0 });
}

/**
 * @param {ReturnType<typeof import('../measure/machine.mjs').machine>} host
 * @param {import('../model.mjs').BenchModel} model
 * @param {string} texts
 * @param {number} threads
 * @param {boolean} quick
 */
export function describeRun(host, model, texts, threads, quick) {
  return [
    `${host.cpu}, ${host.cores} processors (${host.instructionSets.join(' ') || 'instruction sets unknown'}), ${host.platform}`,
    `Node ${host.node}, ${threads} threads for every driver, load average ${host.load[0].toFixed(1)} before the start`,
    `model: ${model.about}; texts: ${texts}${quick ? '; --quick' : ''}`,
  ].join('\n');
}
