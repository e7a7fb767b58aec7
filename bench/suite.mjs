/** One run of the suite: start every variant, pass the gate, time the cases, look at memory, judge. */
import { textSource } from './cases/texts.mjs';
import { drivers } from './drivers/index.mjs';
import { Contestant } from './measure/contestant.mjs';
import { firstLine, goldenVectors, passGate } from './measure/gate.mjs';
import { measureLatency } from './measure/latency.mjs';
import { machine } from './measure/machine.mjs';
import { memoryOverTime } from './measure/memory.mjs';
import { notHere, Probe } from './measure/probe.mjs';
import { measureScaling } from './measure/scaling.mjs';
import { measureThroughput } from './measure/throughput.mjs';
import { shapeOf } from './measure/work.mjs';
import { verdicts } from './report/goals.mjs';
import {
  caseTable,
  describeRun,
  gateTable,
  goalsText,
  growthTable,
  latencyTable,
  lengthsTable,
  processTable,
  scalingTable,
} from './report/table.mjs';

const paces = {
  full: {
    throughput: { rounds: 5, secondsPerRound: 0.3, allowance: 7, tune: true },
    latency: { rounds: 5, secondsPerRound: 0.6, allowance: Infinity },
  },
  quick: {
    throughput: { rounds: 3, secondsPerRound: 0.25, allowance: 1.5, tune: false },
    latency: { rounds: 3, secondsPerRound: 0.3, allowance: Infinity },
  },
};
const textsOverTime = 10_000;

/**
 * @typedef {object} Process a variant's process; sizes are resident bytes
 * @property {string} driver
 * @property {string} name
 * @property {string} [failure] why it did not run
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
 * @param {boolean} options.memory whether to look at memory over time
 * @param {number} options.threads
 * @param {(text: string) => void} options.print
 * @param {(text: string) => void} options.note progress
 */
export async function runCases({ model, cases, wanted, quick, memory, threads, print, note }) {
  const source = textSource(model.directory, model.corpus);
  const parameters = { modelDirectory: model.directory, threads };
  const host = machine();
  const flags = host.instructionSets;
  print(describeRun(host, model, source.about, threads, quick));
  const probe = new Probe(threads);
  for (const reason of probe.missing) print(`without a probe of the machine: ${firstLine(reason)}`);

  const kinds = new Set(cases.map(({ kind }) => kind));
  const { contestants, processes } = await start(wanted, { quick, kinds, flags }, parameters, note);
  try {
    const golden = goldenVectors(model.golden, quick ? 8 : 16, quick ? 128 : 512);
    // Those that cannot take the mean are compared with first tokens in every case instead.
    const gate = await passGate(
      contestants.filter(({ variant }) => variant.pooling === undefined),
      golden,
    );
    if (gate.length > 0) print('\n' + gateTable(gate, golden.length));
    const admitted = contestants.filter(({ name }) => !gate.some((entry) => entry.name === name && entry.failure));
    const reference = admitted.find(({ driver, variant }) => driver === 'gteway' && variant.dtype === 'fp32');

    const pace = quick ? paces.quick : paces.full;
    const shape = shapeOf(model.directory);
    const results = [];
    for (const item of cases) {
      note(`${item.name} …`);
      const wantedTexts = quick ? item.quickTexts : item.texts;
      const textsOf = (/** @type {number} */ count) => source.texts(item, count);
      const taking = admitted.filter(({ variant }) => variant.kinds === undefined || variant.kinds.includes(item.kind));
      if (item.kind === 'latency') {
        const options = { item, texts: textsOf(wantedTexts), contestants: taking, pace: pace.latency, probe, shape };
        const result = await measureLatency(options);
        print('\n' + latencyTable(result));
        results.push(result);
      } else if (item.kind === 'threads') {
        const ours = taking.filter(({ driver, variant }) => driver === 'gteway' && variant.way === 'together');
        const options = { item, texts: textsOf(wantedTexts), count: source.count, contestants: ours, parameters };
        const result = await measureScaling({ ...options, pace: pace.throughput, probe, flags });
        print('\n' + scalingTable(result));
        results.push(result);
      } else {
        const result = await measureThroughput({
          ...{ item, textsOf, wanted: wantedTexts, count: source.count, contestants: taking, reference },
          ...{ pace: pace.throughput, probe, flags, shape },
        });
        print('\n' + caseTable(result));
        results.push(result);
      }
    }

    const lengths = results.flatMap((result) => (result.kind === 'length' ? [result] : []));
    if (lengths.length > 1) print('\n' + lengthsTable(lengths));
    for (const contestant of contestants) {
      const entry = processes.find(({ name }) => name === contestant.name);
      if (entry) entry.afterTexts = await contestant.residentBytes();
    }
    print('\n' + processTable(processes));
    const goals = verdicts(results, flags);
    if (goals.length > 0) print('\n' + goalsText(goals));
    await stopAll(contestants);

    const growth = memory ? await overTime(contestants, parameters, source.corpus('queries'), note) : [];
    if (memory) print('\n' + growthTable(growth));

    const failed = [...gate, ...results.flatMap(({ rows }) => /** @type {{ failure?: string }[]} */ (rows))].filter(
      ({ failure }) => failure,
    );
    return {
      machine: host,
      model: model.about,
      texts: source.about,
      threads,
      quick,
      processes,
      gate,
      cases: results,
      goals,
      growth,
      /** Whether every variant that was loaded was measured in every case it takes part in. */
      complete: failed.length === 0,
    };
  } finally {
    await stopAll(contestants);
  }
}

/**
 * A process for every wanted variant; one that cannot run here is reported and left out.
 *
 * @param {string[]} wanted
 * @param {{ quick: boolean, kinds: Set<import('./drivers/driver.mjs').Kind>, flags: string[] }} run
 * @param {{ modelDirectory: string, threads: number }} parameters
 * @param {(text: string) => void} note
 */
async function start(wanted, { quick, kinds, flags }, parameters, note) {
  /** @type {Contestant[]} */
  const contestants = [];
  /** @type {Process[]} */
  const processes = [];
  for (const [driver, { variants }] of Object.entries(drivers)) {
    for (const variant of variants) {
      if (wanted.length > 0 && !wanted.some((part) => variant.name.includes(part))) continue;
      if (quick && wanted.length === 0 && !variant.quick) continue;
      if (variant.kinds && !variant.kinds.some((kind) => kinds.has(kind))) continue;
      const entry = { driver, name: variant.name };
      const reason = notHere(variant, flags);
      if (reason !== undefined) {
        processes.push({ ...entry, failure: reason });
        continue;
      }
      note(`loading ${variant.name} …`);
      const contestant = new Contestant(driver, variant);
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
 * @param {Contestant[]} contestants
 * @param {{ modelDirectory: string, threads: number }} parameters
 * @param {string[]} texts
 * @param {(text: string) => void} note
 */
async function overTime(contestants, parameters, texts, note) {
  const results = [];
  for (const { driver, variant } of contestants) {
    if (driver !== 'gteway' || variant.way !== 'together' || variant.forcedIsa !== undefined) continue;
    note(`memory of ${variant.name} over ${textsOverTime} texts and 50 loads …`);
    results.push(await memoryOverTime(driver, variant, parameters, texts.slice(0, 1000), textsOverTime));
  }
  return results;
}

/** @param {Contestant[]} contestants */
async function stopAll(contestants) {
  await Promise.all(contestants.map((contestant) => contestant.stop()));
}
