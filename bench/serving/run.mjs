/** Runs the cases of a server under load: starts the libraries, passes the gate, prints tables and verdicts. */
import { writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { textSource } from '../cases/texts.mjs';
import { Contestant } from '../measure/contestant.mjs';
import { goldenVectors, passGate } from '../measure/gate.mjs';
import { machine } from '../measure/machine.mjs';
import { shuffle } from '../measure/statistics.mjs';
import { benchModel } from '../model.mjs';
import { describeRun, gateTable, goalsText } from '../report/table.mjs';
import { servingCases } from './cases.mjs';

export const usage = `npm run bench -- ${servingCases.map(({ name }) => name).join('|')} [options]
options:
  --quick          a short look: too few requests for figures that are to be quoted
  --seconds N      of each load (load)
  --minutes N      (soak; default 10)
  --texts N        of the bulk job (fairness; default 50,000)
  --engine NAME    of gteway (default auto)
  --dtype NAME     of gteway (default auto)
  --threads N      for every library (default: all ${availableParallelism()} processors)
  --model DIR      a model directory instead of the one made in bench/.cache
  --json FILE      write all results as JSON`;

/** @typedef {{ driver: string, variant: import('../drivers/driver.mjs').Variant }} Entry */

/** @type {Entry[]} */
const others = [
  {
    driver: 'transformers',
    variant: { name: 'transformers.js fp32, one call per request', dtype: 'fp32', way: 'single' },
  },
  {
    driver: 'transformers',
    variant: {
      name: 'transformers.js fp32 behind a micro-batcher',
      dtype: 'fp32',
      way: 'batches',
      microBatches: true,
    },
  },
];

/** @param {string[]} given the names of cases and options */
export async function runServing(given) {
  let options;
  try {
    options = readOptions(given);
  } catch (error) {
    console.error(`${/** @type {Error} */ (error).message}\n\n${usage}`);
    process.exitCode = 2;
    return;
  }
  if (options.help) console.log(usage);
  else await runCases(options);
}

/** @param {string[]} given */
function readOptions(given) {
  const { values, positionals } = parseArgs({
    args: given,
    allowPositionals: true,
    options: {
      quick: { type: 'boolean', default: false },
      seconds: { type: 'string' },
      minutes: { type: 'string' },
      texts: { type: 'string' },
      engine: { type: 'string' },
      dtype: { type: 'string' },
      threads: { type: 'string', default: String(availableParallelism()) },
      model: { type: 'string' },
      json: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  const unknown = positionals.find((name) => !servingCases.some((item) => item.name === name));
  if (unknown !== undefined) throw new RangeError(`there is no case of a server under load named ${unknown}`);
  const [seconds, minutes, texts, threads] = ['seconds', 'minutes', 'texts', 'threads'].map((name) =>
    positive(name, values[/** @type {'seconds'} */ (name)]),
  );
  if (!Number.isInteger(threads)) throw new RangeError(`--threads ${values.threads} is not a whole number`);
  return { ...values, names: positionals, seconds, minutes, texts, threads };
}

/** @param {ReturnType<typeof readOptions>} options */
async function runCases({ names, quick, seconds, minutes, texts, threads, ...values }) {
  const model = await benchModel(values.model);
  const source = textSource(model.directory, model.corpus);
  const golden = goldenVectors(model.golden, 8, 128);
  const host = machine();
  console.log(describeRun(host, model, source.about, threads, quick));

  /** @type {Entry} */
  const ours = {
    driver: 'gteway',
    variant: {
      name: ['gteway', values.engine, values.dtype].filter(Boolean).join(' '),
      dtype: /** @type {any} */ (values.dtype ?? 'auto'),
      way: 'together',
      session: values.engine === undefined ? {} : { engine: values.engine },
    },
  };
  const servers = new Servers({ modelDirectory: model.directory, threads }, golden);
  const results = [];
  try {
    for (const name of names) {
      const item = servingCases.find((candidate) => candidate.name === name);
      console.log(`\n${item.name}: ${item.about}`);
      const { verdicts, figures } = await item.run({
        startAll: () => servers.start([ours, ...others]),
        startOurs: async (session = {}) => {
          const variant = { ...ours.variant, session: { ...ours.variant.session, ...session } };
          return (await servers.start([{ ...ours, variant }]))[0];
        },
        texts: (corpus, count) => distinctTexts(source.corpus(corpus), count),
        settings: { quick, seconds, minutes, texts },
        print: (text) => console.log(text),
        note: (text) => console.error(text),
      });
      console.log('');
      console.log(goalsText(verdicts));
      results.push({ name, verdicts, figures });
      await servers.stop();
    }
  } finally {
    await servers.stop();
  }
  if (values.json) {
    const run = { machine: host, model: model.about, texts: source.about, threads, quick, gteway: ours.variant };
    writeFileSync(values.json, JSON.stringify({ ...run, servers: servers.seen, cases: results }, null, 2) + '\n');
  }
  // A figure that misses its goal is a result, not a failure of the bench.
}

class Servers {
  /** @type {Contestant[]} */
  #running = [];
  /** What was started, with versions and settings. */
  seen = /** @type {Record<string, unknown>} */ ({});

  /**
   * @param {{ modelDirectory: string, threads: number }} parameters
   * @param {ReturnType<typeof goldenVectors>} golden
   */
  constructor(parameters, golden) {
    this.parameters = parameters;
    this.golden = golden;
  }

  /**
   * @param {Entry[]} entries
   * @returns {Promise<import('./cases.mjs').Server[]>}
   */
  async start(entries) {
    const slots = [];
    for (const entry of entries) slots.push({ entry, contestant: await this.#launch(entry) });
    const gate = await passGate(
      slots.map(({ contestant }) => contestant),
      this.golden,
    );
    if (gate.length > 0) console.log(gateTable(gate, this.golden.length));
    const failed = gate.find(({ failure }) => failure);
    if (failed) throw new Error(`${failed.name}: ${failed.failure}`);
    for (const { contestant } of slots) {
      const session = /** @type {any} */ (this.seen[contestant.name]).session;
      if (session) console.log(`${contestant.name} runs engine ${session.engine}, ${session.dtype}, ${session.isa}`);
    }
    return slots.map((slot) => ({
      name: slot.entry.variant.name,
      ask: (experiment, parameters) => slot.contestant.experiment(experiment, parameters),
      restart: async () => {
        await slot.contestant.kill();
        slot.contestant = await this.#launch(slot.entry);
      },
    }));
  }

  async stop() {
    await Promise.all(this.#running.map((contestant) => contestant.stop()));
    this.#running = [];
  }

  async #launch(/** @type {Entry} */ { driver, variant }) {
    const contestant = new Contestant(driver, variant);
    this.#running.push(contestant);
    const { info } = await contestant.load(this.parameters);
    this.seen[variant.name] = info;
    return contestant;
  }
}

/**
 * Texts of a corpus in shuffled order, as many as are wanted and no two the same: a library that computes a text once
 * where it is asked for twice at a time should not gain by it here.
 *
 * @param {string[]} corpus
 * @param {number} count
 */
function distinctTexts(corpus, count) {
  const order = shuffle([...new Set(corpus)], 1);
  return Array.from({ length: count }, (_, index) => {
    const lap = Math.floor(index / order.length);
    return lap === 0 ? order[index] : `${lap} ${order[index % order.length]}`;
  });
}

/**
 * @param {string} name
 * @param {string | undefined} given
 */
function positive(name, given) {
  if (given === undefined) return undefined;
  const value = Number(given);
  if (Number.isFinite(value) && value > 0) return value;
  throw new RangeError(`--${name} ${given} is not a positive number`);
}
