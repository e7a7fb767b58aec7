/**
 * Ends processes and worker threads at random moments of a load, again and again, and counts what ended otherwise than it
 * was told to: by a signal above all.
 *
 *   node scripts/exit-storm.mjs [--exits 2000] [--terminates 500] [--model directory] [--engine encoder | ort]
 *     [--how exit | reallyExit] [--seed 1]
 *
 * By turns one session and eight at once, of the packed encoder and of ONNX Runtime unless one is named. reallyExit ends
 * without the event 'exit', as a native addon may; ONNX Runtime is not safe from that. Needs dist/ and the addon
 * (npm run build:all). Without --model the small fixture model is written to a temporary directory. Exit status 1: one
 * ended by a signal, or not as it should.
 */
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const child = fileURLToPath(new URL('../tests/robustness/children/ended-while-loading.mjs', import.meta.url));
const terminatesPerProcess = 10;
const hang = 120_000;

/** Runs the child; `killed`: by this, since it did not end. */
function run(settings) {
  return new Promise((resolve, reject) => {
    const process_ = spawn(process.execPath, [child, JSON.stringify(settings)], { stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [process_.stdout, process_.stderr]) stream.on('data', (data) => (output += data));
    const timer = setTimeout(() => process_.kill('SIGKILL'), hang);
    process_.on('error', reject);
    process_.on('close', (code, signal) => {
      clearTimeout(timer);
      resolve({ code, signal, output: output.trim() });
    });
  });
}

/** Numbers in [0, 1), the same for the same seed (mulberry32). */
function random(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** `total` tasks, two at a time. */
async function twoAtATime(total, task) {
  let begun = 0;
  const lane = async () => {
    while (begun < total) await task(begun++);
  };
  await Promise.all([lane(), lane()]);
}

/**
 * @param {{ model: string, exits: number, terminates: number, seed?: number, how: string,
 *   engines?: string[], sessions?: number[] }} options
 * @returns {Promise<{ exits: number, terminates: number, slowestTerminate: number, failures: object[] }>} how many there
 *   were, the longest terminate() in milliseconds, and those that did not end as they should, with how to repeat them
 */
async function exitStorm({ model, exits, terminates, seed = 1, how, engines = ['encoder', 'ort'], sessions = [1, 8] }) {
  const next = random(seed);
  const cases = engines.flatMap((engine) => sessions.map((count) => ({ model, engine, sessions: count })));
  const failures = [];
  const fail = (settings, { code, signal, output }) => failures.push({ ...settings, code, signal, output });
  for (const each of cases) {
    const loaded = await run({ ...each, how: 'ready' });
    if (loaded.code !== 0) throw new Error(`the model could not be loaded: ${loaded.output}`);
    each.duration = Number(loaded.output);
  }
  // A little longer than the load, so that its end is met too.
  const delay = ({ duration }) => Math.round(next() * duration * 1.1 * 100) / 100;

  await twoAtATime(exits, async (i) => {
    const { duration, ...each } = cases[i % cases.length];
    const settings = { ...each, how, delays: [delay({ duration })] };
    const outcome = await run(settings);
    if (outcome.code !== 7) fail(settings, outcome);
  });
  let slowestTerminate = 0;
  await twoAtATime(Math.ceil(terminates / terminatesPerProcess), async (i) => {
    const { duration, ...each } = cases[i % cases.length];
    const delays = Array.from({ length: terminatesPerProcess }, () => delay({ duration }));
    const settings = { ...each, how: 'terminate', delays };
    const outcome = await run(settings);
    if (outcome.code === 0) slowestTerminate = Math.max(slowestTerminate, ...JSON.parse(outcome.output));
    else fail(settings, outcome);
  });
  return { exits, terminates, slowestTerminate, failures };
}

async function main() {
  const { values } = parseArgs({
    options: {
      exits: { type: 'string', default: '2000' },
      terminates: { type: 'string', default: '500' },
      seed: { type: 'string', default: '1' },
      model: { type: 'string' },
      engine: { type: 'string' },
      how: { type: 'string', default: 'exit' },
    },
  });
  const temporary = values.model === undefined ? await mkdtemp(join(tmpdir(), 'gteway-storm-')) : undefined;
  try {
    let { model } = values;
    if (model === undefined) {
      const { fixtureModel } = await import('../dist/models/fixture/fixture-model.js');
      model = await fixtureModel(temporary);
    }
    const { exits, terminates, slowestTerminate, failures } = await exitStorm({
      model,
      exits: Number(values.exits),
      terminates: Number(values.terminates),
      seed: Number(values.seed),
      how: values.how,
      engines: values.engine === undefined ? undefined : [values.engine],
    });
    for (const failure of failures) console.error(JSON.stringify(failure));
    const signals = failures.filter(({ signal }) => signal !== null).length;
    console.log(
      `${exits} exits and ${terminates} terminates while loading: ${signals} ended by a signal, ` +
        `${failures.length - signals} otherwise than told; the longest terminate() took ${slowestTerminate.toFixed(0)} ms`,
    );
    process.exitCode = failures.length > 0 ? 1 : 0;
  } finally {
    if (temporary !== undefined) await rm(temporary, { recursive: true });
  }
}

await main();
