#!/usr/bin/env node
// The benchmark suite.   npm run bench -- [case …] [options]   or   npm run bench -- tokenizer|search|quality [options]
import { existsSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { cases } from './cases/cases.mjs';
import { installDependencies } from './dependencies.mjs';

const usage = `npm run bench -- [case …] [options]      how fast gteway embeds, beside others
npm run bench -- tokenizer [options]     how fast it tokenises, beside others
npm run bench -- search [options]        how fast it finds the nearest vectors, beside a loop and an index
npm run bench -- quality [options]       how well gteway-mini finds things, beside BM25 and others
npm run bench -- load|fairness|concurrency|soak [options]   a server under load
npm run bench -- http [options]          what HTTP costs: gteway serve beside the library and an empty server
npm run bench -- sharing [options]       one text on more threads than there are processors
npm run bench -- families [options]      models of each family at their real shapes, beside others
npm run bench -- --compare COMMIT [case …] [options]        this checkout beside another commit, in turns

cases (default: ${cases
  .filter((item) => item.default)
  .map((item) => item.name)
  .join(', ')}):
${cases.map((item) => `  ${item.name.padEnd(14)}${item.about}`).join('\n')}
options:
  --quick          fewer cases, variants, texts and rounds: under two minutes
  --memory         resident size over 10,000 texts and 50 loads, too
  --driver TEXT    only variants whose name contains TEXT; can be repeated
  --threads N      for every driver (default: all ${availableParallelism()} processors)
  --model DIR      a model directory instead of the one made in bench/.cache
  --compare COMMIT what changed since, beyond noise: three to four minutes, --quick under one, and the first time
                   building it; ends with 1 where something became slower or its vectors are others.
                   Of the other options, --svg and --memory are not taken
  --json FILE      write all results as JSON
  --svg FILE       write a bar chart of tokens/s on queries, sentences, passages and mixed texts`;

const first = process.argv[2];
if (first === 'tokenizer') {
  installDependencies();
  await runTokenizerBench(process.argv.slice(3));
} else if (first === 'search') {
  // It reads its arguments as a script of its own would.
  process.argv.splice(2, 1);
  await import('./search/run.mjs');
} else if (first === 'quality') {
  installDependencies();
  const { runQuality } = await import('./quality/run.mjs');
  await runQuality(process.argv.slice(3));
} else if (first === 'http') {
  const { runHttp } = await import('./serve/http.mjs');
  await runHttp(process.argv.slice(3));
} else if (first === 'sharing') {
  const { runSharing } = await import('./sharing/run.mjs');
  await runSharing(process.argv.slice(3));
} else if (first === 'families') {
  installDependencies();
  const { runFamilies } = await import('./families/run.mjs');
  await runFamilies(process.argv.slice(3)).catch((/** @type {Error} */ error) => {
    console.error(error.message);
    process.exitCode = 2;
  });
} else if (first !== undefined && ['load', 'fairness', 'concurrency', 'soak'].includes(first)) {
  installDependencies();
  const { runServing } = await import('./serving/run.mjs');
  await runServing(process.argv.slice(2));
} else {
  await runSuite();
}

/** @param {string[]} rest */
async function runTokenizerBench(rest) {
  const script = new URL('tokenizer/run.mjs', import.meta.url);
  if (!existsSync(script)) {
    console.error('bench/tokenizer/run.mjs is not part of this checkout');
    process.exitCode = 2;
    return;
  }
  // It reads its arguments as a script of its own would.
  process.argv.splice(1, Infinity, script.pathname, ...rest);
  await import(script.href);
}

async function runSuite() {
  let parsed;
  try {
    parsed = parseArgs({
      allowPositionals: true,
      options: {
        quick: { type: 'boolean', default: false },
        memory: { type: 'boolean', default: false },
        driver: { type: 'string', multiple: true, default: [] },
        threads: { type: 'string', default: String(availableParallelism()) },
        model: { type: 'string' },
        compare: { type: 'string' },
        json: { type: 'string' },
        svg: { type: 'string' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
  } catch (error) {
    return misused(/** @type {Error} */ (error).message);
  }
  const { values, positionals } = parsed;
  if (values.help) return console.log(usage);
  const unknown = positionals.find((name) => !cases.some((item) => item.name === name));
  if (unknown !== undefined) return misused(`there is no case named ${unknown}`);
  const threads = Number(values.threads);
  if (!Number.isInteger(threads) || threads < 1)
    return misused(`--threads ${values.threads} is not a positive integer`);

  if (values.compare !== undefined) {
    if (values.memory || values.svg !== undefined) return misused('--compare takes neither --memory nor --svg');
    if (positionals.includes('threads')) return misused('--compare takes no case threads: compare with --threads 1');
    return compare(values.compare, { ...values, threads, names: positionals });
  }

  installDependencies();
  // Only now: they import what was just installed.
  const { benchModel } = await import('./model.mjs');
  const { runCases } = await import('./suite.mjs');
  const result = await runCases({
    model: await benchModel(values.model),
    cases: cases.filter((item) =>
      positionals.length > 0 ? positionals.includes(item.name) : values.quick ? item.quick : item.default,
    ),
    wanted: values.driver,
    quick: values.quick,
    memory: values.memory,
    threads,
    print: (text) => console.log(text),
    note: (text) => console.error(text),
  });
  if (values.json) writeFileSync(values.json, JSON.stringify(result, null, 2) + '\n');
  if (values.svg) {
    const { runChart } = await import('./report/chart.mjs');
    writeFileSync(values.svg, runChart(result));
  }
  if (!result.complete) process.exitCode = 1;
}

/**
 * Without what gteway is compared with: nothing is installed.
 *
 * @param {string} commit
 * @param {{ names: string[], driver: string[], quick: boolean, threads: number, model?: string, json?: string }} options
 */
async function compare(commit, { names, driver, quick, threads, model, json }) {
  const { buildOf, ownBuild } = await import('./compare/other-build.mjs');
  const { runComparison } = await import('./compare/run.mjs');
  const { benchModel } = await import('./model.mjs');
  const note = (/** @type {string} */ text) => console.error(text);
  const wanted =
    names.length > 0 ? names : quick ? ['mixed', 'latency'] : ['mixed', 'latency', 'length-128', 'length-512'];
  const result = await runComparison({
    before: buildOf(commit, note),
    after: ownBuild(),
    model: await benchModel(model),
    cases: cases.filter(({ name }) => wanted.includes(name)),
    wanted: driver,
    quick,
    threads,
    print: (text) => console.log(text),
    note,
  });
  if (json !== undefined) writeFileSync(json, JSON.stringify(result, null, 2) + '\n');
  const slower = result.rows.some(({ change }) => change.verdict === 'slower');
  if (slower || result.vectors.some(({ wrong }) => wrong)) process.exitCode = 1;
}

/** @param {string} message */
function misused(message) {
  console.error(`${message}\n\n${usage}`);
  process.exitCode = 2;
}
