/** One run of the suite: start every variant, pass the gate, time the cases, look at memory. */
import { textSource } from './cases/texts.mjs';
import { drivers } from './drivers/index.mjs';
import { Contestant } from './measure/contestant.mjs';
import { firstLine, goldenVectors, judge, passGate, rowsOf } from './measure/gate.mjs';
import { machine } from './measure/machine.mjs';
import { memoryOverTime } from './measure/memory.mjs';
import { interleavedRounds } from './measure/rounds.mjs';
import { median } from './measure/statistics.mjs';
import { caseTable, describeRun, gateTable, growthTable, processTable } from './report/table.mjs';

const paces = {
  full: { warmUpTexts: Infinity, rounds: 5, secondsPerRound: 1, allowance: 20 },
  quick: { warmUpTexts: 8, rounds: 3, secondsPerRound: 0.25, allowance: 1 },
};
const textsOverTime = 10_000;

/**
 * @typedef {object} Row a variant in a case
 * @property {string} driver
 * @property {string} name
 * @property {import('./drivers/driver.mjs').Dtype} dtype
 * @property {'together' | 'batches' | 'single'} way
 * @property {number[]} seconds for all texts once, of every round
 * @property {number} rounds
 * @property {number} textsPerSecond at the median round
 * @property {number} tokensPerSecond at the median round; real tokens, no padding
 * @property {number} spreadPercent half of what lies between the slowest and the fastest round, of the median
 * @property {number} leastCosine to the reference variant, over the texts of the case
 * @property {number} [ratio] tokens/s of gteway in the same dtype, all texts in one call, over this row's
 * @property {string} [failure] why it was not timed
 *
 * @typedef {{ name: string, about: string, texts: number, tokens: number, rows: Row[] }} CaseResult
 *
 * @typedef {object} Process a variant's process; sizes are resident bytes
 * @property {string} driver
 * @property {string} name
 * @property {string} [failure] why it could not load
 * @property {Record<string, unknown>} [info]
 * @property {number} [milliseconds] to load
 * @property {number} [before]
 * @property {number} [after]
 * @property {number} [afterTexts]
 */

/**
 * @param {object} options
 * @param {import('./model.mjs').BenchModel} options.model
 * @param {import('./cases/cases.mjs').Case[]} options.cases
 * @param {string[]} options.wanted parts of variant names; empty: all
 * @param {boolean} options.quick
 * @param {number} options.threads
 * @param {(text: string) => void} options.print
 * @param {(text: string) => void} options.note progress
 */
export async function runCases({ model, cases, wanted, quick, threads, print, note }) {
  const source = textSource(model.directory, model.corpus);
  const parameters = { modelDirectory: model.directory, threads };
  const host = machine();
  print(describeRun(host, model, source.about, threads, quick));

  const { contestants, processes } = await start(wanted, parameters, note);
  try {
    const golden = goldenVectors(model.golden, quick ? 8 : 16, quick ? 128 : 512);
    const gate = await passGate(contestants, golden);
    if (gate.length > 0) print('\n' + gateTable(gate, golden.length));

    /** @type {CaseResult[]} */
    const results = [];
    for (const item of cases) {
      note(`${item.name} …`);
      const texts = source.texts(item, quick);
      const admitted = contestants.filter(({ name }) => !gate.some((entry) => entry.name === name && entry.failure));
      const result = await measureCase(item, texts, source.count, admitted, quick ? paces.quick : paces.full);
      results.push(result);
      print('\n' + caseTable(result));
    }

    for (const contestant of contestants) {
      const entry = processes.find(({ name }) => name === contestant.name);
      if (entry) entry.afterTexts = await contestant.residentBytes();
    }
    print('\n' + processTable(processes));
    await stopAll(contestants);

    const growth = quick ? [] : await overTime(contestants, parameters, source.corpus('queries'), note);
    print('\n' + (quick ? 'memory over time: left out by --quick' : growthTable(growth)));

    const failed = [...processes, ...gate, ...results.flatMap(({ rows }) => rows)].filter(({ failure }) => failure);
    return {
      machine: host,
      model: model.about,
      texts: source.about,
      threads,
      quick,
      processes,
      gate,
      cases: results,
      growth,
      /** Whether every variant was measured in every case. */
      complete: failed.length === 0,
    };
  } finally {
    await stopAll(contestants);
  }
}

/**
 * A process for every wanted variant; one that cannot load is reported and left out.
 *
 * @param {string[]} wanted
 * @param {{ modelDirectory: string, threads: number }} parameters
 * @param {(text: string) => void} note
 */
async function start(wanted, parameters, note) {
  /** @type {Contestant[]} */
  const contestants = [];
  /** @type {Process[]} */
  const processes = [];
  for (const [driver, { variants }] of Object.entries(drivers)) {
    for (const variant of variants) {
      if (wanted.length > 0 && !wanted.some((part) => variant.name.includes(part))) continue;
      note(`loading ${variant.name} …`);
      const contestant = new Contestant(driver, variant);
      const entry = { driver, name: variant.name };
      try {
        processes.push({ ...entry, ...(await contestant.load(parameters)) });
        contestants.push(contestant);
      } catch (error) {
        processes.push({ ...entry, failure: firstLine(error) });
        await contestant.stop();
      }
    }
  }
  return { contestants, processes };
}

/**
 * @param {import('./cases/cases.mjs').Case} item
 * @param {string[]} texts
 * @param {(text: string) => number} count
 * @param {Contestant[]} contestants
 * @param {import('./measure/rounds.mjs').Pace} pace
 * @returns {Promise<CaseResult>}
 */
async function measureCase(item, texts, count, contestants, pace) {
  const tokens = texts.reduce((total, text) => total + count(text), 0);

  const timings = await interleavedRounds(contestants, texts, pace);

  // Everyone's vectors must be those of the first in fp32 (gteway, where it runs), or its time does not count.
  const reference = contestants.find(
    (contestant) => contestant.variant.dtype === 'fp32' && timings.get(contestant).vectors,
  );
  const expected = reference && rowsOf(timings.get(reference).vectors);
  /** @type {Row[]} */
  const rows = contestants.map((contestant) => {
    const timing = timings.get(contestant);
    const verdict = judge(timing.failure ?? timing.vectors, expected, contestant.variant.dtype);
    const seconds = verdict.failure === undefined ? timing.seconds : [];
    const middle = median(seconds);
    return {
      driver: contestant.driver,
      name: contestant.name,
      dtype: contestant.variant.dtype,
      way: contestant.variant.way,
      seconds,
      rounds: seconds.length,
      textsPerSecond: texts.length / middle,
      tokensPerSecond: tokens / middle,
      spreadPercent: (50 * (Math.max(...seconds) - Math.min(...seconds))) / middle,
      ...verdict,
    };
  });
  for (const row of rows) {
    const ours = rows.find(
      ({ driver, way, dtype }) => driver === 'gteway' && way === 'together' && dtype === row.dtype,
    );
    if (ours && row.driver !== 'gteway') row.ratio = ours.tokensPerSecond / row.tokensPerSecond;
  }
  return { name: item.name, about: item.about, texts: texts.length, tokens, rows };
}

/**
 * @param {Contestant[]} contestants
 * @param {{ modelDirectory: string, threads: number }} parameters
 * @param {string[]} texts
 * @param {(text: string) => void} note
 */
async function overTime(contestants, parameters, texts, note) {
  const results = [];
  for (const { driver, variant } of contestants) {
    if (driver !== 'gteway' || variant.way !== 'together') continue;
    note(`memory of ${variant.name} over ${textsOverTime} texts and 50 loads …`);
    results.push(await memoryOverTime(driver, variant, parameters, texts.slice(0, 1000), textsOverTime));
  }
  return results;
}

/** @param {Contestant[]} contestants */
async function stopAll(contestants) {
  await Promise.all(contestants.map((contestant) => contestant.stop()));
}
