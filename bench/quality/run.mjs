// How well gteway-mini finds things.   npm run bench -- quality [--model DIR] [--held-out DIR] [--json FILE]
import { existsSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { cost, evaluateRetrieval, evaluateSimilarity } from './evaluate.mjs';
import { quantizedModel, randomModel } from './models.mjs';
import { costTable, goalLines, goals, retrievalTable, similarityTable } from './report.mjs';
import { bm25 } from './retrievers/bm25.mjs';
import { embedding } from './retrievers/embedding.mjs';
import { wordVectors } from './retrievers/word-vectors.mjs';
import { demoSet, everydaySet, heldOutSets } from './sets.mjs';

const root = fileURLToPath(new URL('../../', import.meta.url));
const judged = 'encoder fp32';

/** @param {string[]} args */
export async function runQuality(args) {
  const options = readOptions(args);
  if (options === undefined) return;
  const result = await measure(options, (text) => console.error(text));
  console.log(describe(result));
  if (options.json !== undefined) writeFileSync(options.json, JSON.stringify(result, null, 2) + '\n');
  if (!result.complete) process.exitCode = 1;
}

/** @param {string[]} args */
function readOptions(args) {
  try {
    const { values } = parseArgs({
      args,
      options: {
        model: { type: 'string', default: join(root, 'models/gteway-mini') },
        'held-out': { type: 'string', default: join(root, '.cache/mini/heldout') },
        queries: { type: 'string', default: '1000' },
        threads: { type: 'string', default: String(availableParallelism()) },
        json: { type: 'string' },
      },
    });
    const queries = positive('--queries', values.queries);
    const threads = positive('--threads', values.threads);
    const [model, heldOut] = [resolve(values.model), resolve(values['held-out'])];
    return { model, heldOut, queries, threads, json: values.json };
  } catch (error) {
    const usage = 'npm run bench -- quality [--model DIR] [--held-out DIR] [--queries N] [--threads N] [--json FILE]';
    console.error(`${/** @type {Error} */ (error).message}\n\n${usage}`);
    process.exitCode = 2;
    return undefined;
  }
}

/** @param {string} option @param {string} text */
function positive(option, text) {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new Error(`${option} ${text} is not a positive integer`);
  return value;
}

/**
 * @param {string} model
 * @param {number} threads
 * @param {(text: string) => void} remark takes what readers of the results should know
 * @returns {{ retrievers: import('./retrievers/retriever.mjs').Retriever[], tidy: () => void }}
 */
function contestants(model, threads, remark) {
  /** @type {(() => void)[]} */
  const leftovers = [];
  const given = async () => {
    if (existsSync(join(model, 'config.json'))) return model;
    throw new Error(`${model} holds no model: training/ makes it, and --model DIR names another`);
  };
  const quantized = async () => {
    const { directory, made, remove } = await quantizedModel(await given());
    leftovers.push(remove);
    if (made)
      remark('ort int8: the model has no int8 graph; this one was made for the run, by the writer of the fixture');
    return directory;
  };
  const of = (
    /** @type {'encoder' | 'ort'} */ engine,
    /** @type {'fp32' | 'bf16' | 'int8'} */ dtype,
    /** @type {() => Promise<string>} */ directory = given,
  ) => ({ ...embedding(`${engine} ${dtype}`, directory, { engine, dtype, threads }), ofModel: true });
  return {
    retrievers: [
      bm25,
      embedding('random weights', () => randomModel(model), { engine: 'encoder', dtype: 'fp32', threads }),
      wordVectors(given),
      of('encoder', 'fp32'),
      of('encoder', 'bf16'),
      of('encoder', 'int8'),
      of('ort', 'fp32'),
      of('ort', 'int8', quantized),
    ],
    tidy: () => leftovers.forEach((remove) => remove()),
  };
}

/**
 * @param {{ model: string, heldOut: string, queries: number, threads: number }} options
 * @param {(text: string) => void} note progress
 */
async function measure({ model, heldOut, queries, threads }, note) {
  const held = heldOutSets(heldOut, queries);
  const sets = [everydaySet(), demoSet(), ...held];
  const missing = [];
  /** @type {string[]} */
  const remarks = [];
  if (held.length === 0) missing.push({ what: 'held-out sets', reason: `${heldOut} holds none: training/ makes them` });
  /** @type {import('./report.mjs').RetrievalResult[]} */
  const retrieval = [];
  /** @type {import('./report.mjs').SimilarityResult[]} */
  const similarity = [];
  /** @type {import('./report.mjs').Cost[]} */
  const costs = [];
  /** @type {Map<string, import('./evaluate.mjs').Kept>} */
  const reference = new Map();
  const { retrievers, tidy } = contestants(model, threads, (text) => remarks.push(text));
  try {
    for (const { name, load, ofModel } of retrievers) {
      note(`${name} …`);
      let loaded;
      try {
        loaded = await load();
      } catch (error) {
        missing.push({ what: name, reason: /** @type {Error} */ (error).message });
        continue;
      }
      for (const set of sets) {
        const about = { retriever: name, set: set.name };
        if (set.kind === 'similarity') {
          if (loaded.embed) similarity.push({ ...about, spearman: await evaluateSimilarity(loaded, set) });
          continue;
        }
        const { kept, ...scores } = await evaluateRetrieval(loaded, set);
        retrieval.push({ ...about, ...scores });
        if (name === judged) reference.set(set.name, kept);
        else if (ofModel && reference.has(set.name)) {
          costs.push({ ...about, queries: set.queries.length, ...cost(reference.get(set.name), kept) });
        }
      }
      await loaded.close();
    }
  } finally {
    tidy();
  }
  return {
    model,
    sets: sets.map(({ name, kind, about }) => ({ name, kind, about })),
    retrieval,
    similarity,
    costs,
    goals: goals(retrieval, judged),
    remarks,
    missing,
    complete: retrieval.some(({ retriever }) => retriever === judged),
  };
}

/** @param {Awaited<ReturnType<typeof measure>>} result */
function describe({ model, sets, retrieval, similarity, costs, goals: verdicts, remarks, missing }) {
  const parts = [`model: ${model}`];
  for (const { name, kind, about } of sets) {
    parts.push(`${name}: ${about}`);
    const ofSet = (/** @type {{ set: string }} */ { set }) => set === name;
    parts.push(
      kind === 'retrieval' ? retrievalTable(retrieval.filter(ofSet)) : similarityTable(similarity.filter(ofSet)),
    );
  }
  if (costs.length > 0) parts.push(costTable(costs));
  if (verdicts.length > 0) parts.push(goalLines(verdicts));
  if (remarks.length > 0) parts.push(remarks.join('\n'));
  if (missing.length > 0) parts.push(missing.map(({ what, reason }) => `not measured: ${what}: ${reason}`).join('\n'));
  return parts.join('\n\n');
}
