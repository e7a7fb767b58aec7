/** `npm run bench -- families`: models of each family at their real shapes, beside transformers.js and onnxruntime-node. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Contestant } from '../measure/contestant.mjs';
import { cosine, firstLine } from '../measure/gate.mjs';
import { machine } from '../measure/machine.mjs';
import { interleavedRounds } from '../measure/rounds.mjs';
import { median, shuffle, spreadPercent } from '../measure/statistics.mjs';
import { number, table } from '../report/table.mjs';
import { inputsOf } from './inputs.mjs';
import { families, familyModels, writeFamilyModel } from './models.mjs';

const usage = `npm run bench -- families [options]      models of each family at their real shapes

options:
  --only NAME      one of ${familyModels.map(({ name }) => name).join(', ')}; can be repeated
  --threads N      for every contestant (default: all ${availableParallelism()} processors)
  --rounds N       of each contestant, at most (default: 3)
  --seconds N      after which a contestant gets no further round of a case (default: 6)
  --json FILE      write all results as JSON`;

const onnx = 'onnx/model.onnx';
const contestants = [
  { name: 'gteway encoder fp32, ONNX', library: 'gteway', dtype: 'fp32', modelFile: onnx },
  { name: 'gteway encoder fp32, safetensors', library: 'gteway', dtype: 'fp32', modelFile: 'model.safetensors' },
  { name: 'gteway encoder bf16, ONNX', library: 'gteway', dtype: 'bf16', modelFile: onnx },
  { name: 'gteway encoder bf16, safetensors', library: 'gteway', dtype: 'bf16', modelFile: 'model.safetensors' },
  { name: 'gteway encoder int8, ONNX', library: 'gteway', dtype: 'int8', modelFile: onnx },
  { name: 'onnxruntime-node fp32, sorted', library: 'onnxruntime', dtype: 'fp32' },
  { name: 'onnxruntime-node q8, sorted', library: 'onnxruntime', dtype: 'int8' },
  { name: 'transformers.js fp32, one per call', library: 'transformers', dtype: 'fp32' },
  { name: 'transformers.js q8, one per call', library: 'transformers', dtype: 'int8' },
];
const staticContestants = [
  { name: 'gteway static', library: 'gteway', dtype: 'fp32', modelFile: 'model.safetensors' },
  { name: 'plain JavaScript', library: 'loop', dtype: 'fp32' },
];
const contestantsOf = (/** @type {import('./models.mjs').FamilyModel} */ { task }) =>
  task === 'static' ? staticContestants : contestants;
const reference = 'onnxruntime-node fp32, sorted';

/** What ONNX Runtime may take for the scores of one text's attention; a machine shared with others has no more. */
const mostScoreBytes = 4 * 2 ** 30;

/** @param {string[]} args */
export async function runFamilies(args) {
  const { values } = parseArgs({
    args,
    options: {
      only: { type: 'string', multiple: true, default: [] },
      threads: { type: 'string', default: String(availableParallelism()) },
      rounds: { type: 'string', default: '3' },
      seconds: { type: 'string', default: '6' },
      json: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return console.log(usage);
  const unknown = values.only.find((name) => !familyModels.some((model) => model.name === name));
  if (unknown !== undefined) throw new Error(`there is no model named ${unknown}\n\n${usage}`);
  if (!existsSync(families))
    throw new Error('it takes graphs and tokenizers from ../shared/models/families, which is not here');
  const pace = { rounds: Number(values.rounds), allowance: Number(values.seconds) };
  const threads = Number(values.threads);
  const host = machine();
  console.log(`${host.cpu}, ${threads} threads, load ${host.load[0].toFixed(1)}, node ${host.node}, ${host.date}`);
  const results = [];
  for (const model of familyModels) {
    if (values.only.length > 0 && !values.only.includes(model.name)) continue;
    const directory = mkdtempSync(join(tmpdir(), `gteway-bench-${model.name}-`));
    try {
      console.error(`making ${model.name} …`);
      await writeFamilyModel(directory, model);
      for (const result of await measure(directory, model, threads, pace)) {
        console.log('\n' + written(result));
        results.push(result);
      }
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  }
  if (values.json) writeFileSync(values.json, JSON.stringify({ machine: host, threads, results }, null, 2) + '\n');
}

/**
 * @param {string} directory
 * @param {import('./models.mjs').FamilyModel} model
 * @param {number} threads
 * @param {{ rounds: number, allowance: number }} pace
 */
async function measure(directory, model, threads, pace) {
  const { task, pooling, maxTokens } = model;
  const inputs = inputsOf(directory, maxTokens, task !== 'static');
  /** @type {Contestant[]} */
  const running = [];
  /** @type {Map<string, string>} */
  const failures = new Map();
  try {
    for (const { name, library, dtype, modelFile } of contestantsOf(model)) {
      const session = { library, task, pooling, maxTokens, modelFile };
      const variant = { name, dtype: /** @type {any} */ (dtype), way: /** @type {const} */ ('together'), session };
      const contestant = new Contestant('families', variant);
      running.push(contestant);
      await contestant
        .load({ modelDirectory: directory, threads })
        .catch((/** @type {unknown} */ error) => failures.set(name, firstLine(error)));
    }
    const results = [];
    for (const item of model.cases) results.push(await measureCase(model, item, inputs, running, failures, pace));
    return results;
  } finally {
    await Promise.all(running.map((contestant) => contestant.stop()));
  }
}

/**
 * @param {import('./models.mjs').FamilyModel} model
 * @param {import('./models.mjs').Case} item
 * @param {ReturnType<typeof inputsOf>} inputs
 * @param {Contestant[]} running
 * @param {ReadonlyMap<string, string>} failures of those that could not be loaded
 * @param {{ rounds: number, allowance: number }} pace
 */
async function measureCase(model, item, inputs, running, failures, pace) {
  const items = itemsOf(model, item, inputs);
  const lengths = items.map(inputs.count);
  const scoreBytes = 3 * 4 * model.size.heads * Math.max(...lengths) ** 2;
  /** @type {Map<string, string>} */
  const settings = new Map();
  const reasons = new Map(failures);
  const taking = running.filter(({ name, variant }) => {
    const isTooLong = scoreBytes > mostScoreBytes && variant.session.library !== 'gteway';
    if (isTooLong) reasons.set(name, `not run: ${Math.round(scoreBytes / 2 ** 30)} GiB of attention scores`);
    return !reasons.has(name);
  });
  /** @type {Map<string, Float32Array>} */
  const rows = new Map();
  const timings = await interleavedRounds(
    taking,
    pace,
    async (contestant) => {
      // Where one text fills every batch there is nothing to tune.
      const setting = items.length > 1 ? await contestant.tune(/** @type {any} */ (items)) : undefined;
      if (setting !== undefined) settings.set(contestant.name, setting);
      else await contestant.embed(/** @type {any} */ (items.slice(0, 4)));
    },
    async (contestant) => {
      const { seconds, vectors } = await contestant.round(/** @type {any} */ (items), 0.5);
      rows.set(contestant.name, vectors.data);
      return seconds;
    },
  );
  const tokens = lengths.reduce((sum, length) => sum + length, 0);
  const exact = rows.get(reference) ?? rows.get(contestantsOf(model)[0].name);
  return {
    ...{ model: model.name, task: model.task, case: item.name, items: items.length, tokens },
    rows: contestantsOf(model).map(({ name }) => {
      const { samples = [], failure = reasons.get(name) } = timings.get(running.find((one) => one.name === name)) ?? {};
      const got = rows.get(name);
      return {
        name,
        rounds: samples.length,
        seconds: median(samples),
        itemsPerSecond: items.length / median(samples),
        tokensPerSecond: tokens / median(samples),
        spreadPercent: spreadPercent(samples),
        ...(got && exact && { agreement: agreement(model.task, got, exact, items.length) }),
        ...(settings.has(name) && { setting: settings.get(name) }),
        ...(failure !== undefined && { failure }),
      };
    }),
  };
}

/**
 * The texts of a case, or pairs of them.
 *
 * @param {import('./models.mjs').FamilyModel} model
 * @param {import('./models.mjs').Case} item
 * @param {ReturnType<typeof inputsOf>} inputs
 * @returns {import('./inputs.mjs').Item[]}
 */
function itemsOf({ task }, { name: of, texts: wanted, tokens }, inputs) {
  const corpus = (/** @type {string} */ name) =>
    /** @type {string[]} */ (JSON.parse(readFileSync(join(families, '../../corpus', `${name}.json`), 'utf8')));
  if (tokens !== undefined) {
    // Passages end to end, cut by words to exactly so many tokens where that can be hit, otherwise to one or two fewer.
    const words = shuffle(corpus('passages'), 1).join(' ').split(' ');
    return Array.from({ length: wanted }, (_, index) => {
      let low = 1;
      let high = tokens;
      const text = (/** @type {number} */ count) => words.slice(index * tokens, index * tokens + count).join(' ');
      while (low < high) {
        const middle = (low + high + 1) >> 1;
        if (inputs.count(text(middle)) <= tokens) low = middle;
        else high = middle - 1;
      }
      return text(low);
    });
  }
  // No text twice: gteway computes equal ones once.
  const sorted = [...new Set(corpus(of))].toSorted((a, b) => a.length - b.length);
  const at = (/** @type {number} */ index) => sorted[Math.floor(((index + 0.5) / wanted) * sorted.length)];
  const texts = shuffle(
    Array.from({ length: wanted }, (_, index) => at(index)),
    1,
  );
  if (task !== 'rerank') return texts;
  const queries = shuffle(corpus('queries'), 1);
  return texts.map((text, index) => [queries[index % 8], text]);
}

/**
 * The least cosine to the reference's vectors, or of scores the largest difference.
 *
 * @param {import('./models.mjs').FamilyModel['task']} task
 * @param {Float32Array} got
 * @param {Float32Array} exact
 * @param {number} count
 */
function agreement(task, got, exact, count) {
  if (got.length !== exact.length) return NaN;
  if (task === 'rerank') return Math.max(...got.map((score, i) => Math.abs(score - exact[i])));
  const width = got.length / count;
  const row = (/** @type {Float32Array} */ all, /** @type {number} */ i) => all.subarray(i * width, (i + 1) * width);
  return Math.min(...Array.from({ length: count }, (_, i) => cosine(row(got, i), row(exact, i))));
}

/** @param {Awaited<ReturnType<typeof measureCase>>} result */
function written({ model, task, case: name, items: count, tokens, rows }) {
  const exact = rows.find((row) => row.name === reference);
  const items = task === 'rerank' ? 'pairs' : 'texts';
  const agrees = task === 'rerank' ? 'largest difference' : 'least cosine';
  const heading = ['', `${items}/s`, 'tokens/s', '± %', 'rounds', '× ORT fp32', agrees];
  const lines = rows.map((row) => {
    const isTimed = row.failure === undefined;
    return [
      row.name,
      isTimed ? number(row.itemsPerSecond) : '–',
      isTimed ? number(row.tokensPerSecond) : '–',
      isTimed ? number(row.spreadPercent) : '–',
      String(row.rounds),
      isTimed && exact !== undefined && exact.failure === undefined ? (exact.seconds / row.seconds).toFixed(2) : '–',
      row.agreement === undefined ? '–' : task === 'rerank' ? row.agreement.toExponential(1) : row.agreement.toFixed(7),
    ];
  });
  const notes = rows.flatMap((row) => {
    const note = row.failure ?? row.setting;
    return note === undefined ? [] : [`  ${row.name}: ${note}`];
  });
  const what = `${count.toLocaleString('en')} ${items}, ${tokens.toLocaleString('en')} tokens`;
  return [`${model}, ${name}: ${what}`, table(heading, lines), ...notes].join('\n');
}
