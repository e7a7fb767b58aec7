#!/usr/bin/env node
/**
 * Exact search beside a loop and an approximate index: recall, time, memory, and what it takes to be ready.
 *
 *   npm run bench -- search [--rows 10000,100000] [--dimensions 384] [--queries 200] [--build-seconds 120]
 *   npm run bench -- search --candidates      how many rows are worth scoring again
 *   npm run bench -- search --threshold       from which size on a search is given to threads
 *   npm run bench -- search --texts FILE      vectors of gteway-mini, of a JSON list of texts, instead of made ones
 *
 * Each contestant runs in a process of its own, on rows that it reads from a file.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Session, topK } from '../../dist/index.js';
import { installDependencies } from '../dependencies.mjs';
import { candidateContestants, contestants } from './contestants.mjs';
import { clustered } from './vectors.mjs';

const { values: options } = parseArgs({
  options: {
    rows: { type: 'string', default: '10000,100000' },
    dimensions: { type: 'string', default: '384' },
    queries: { type: 'string', default: '200' },
    'build-seconds': { type: 'string', default: '120' },
    candidates: { type: 'boolean', default: false },
    threshold: { type: 'boolean', default: false },
    texts: { type: 'string' },
    // For the process of a contestant.
    contestant: { type: 'string' },
    folder: { type: 'string' },
  },
});
const k = 10;
const threads = availableParallelism();

/** @typedef {{ rows: number, dimensions: number, queries: number, truth: number[][] }} Facts */

const list = options.candidates ? candidateContestants : contestants(Number(options['build-seconds']));
if (options.contestant !== undefined) await contest(options.contestant, options.folder ?? '');
else if (options.threshold) await threshold();
else await compare();

async function compare() {
  installDependencies();
  for (const rows of options.rows.split(',').map(Number)) {
    const folder = mkdtempSync(join(tmpdir(), 'gteway-search-'));
    try {
      const facts = await prepare(rows, folder);
      console.log(
        `\n${facts.rows} rows of ${facts.dimensions}, ${facts.queries} queries, the ${k} nearest, ${threads} threads\n`,
      );
      console.log('| | recall | ms a query | queries/s, all at once | ready after, s | MB |');
      console.log('| --- | ---: | ---: | ---: | ---: | ---: |');
      for (const { name } of list) {
        const args = [fileURLToPath(import.meta.url), '--contestant', name, '--folder', folder];
        if (options.candidates) args.push('--candidates');
        args.push('--build-seconds', options['build-seconds']);
        const { stdout, status } = spawnSync(process.execPath, ['--expose-gc', ...args], {
          encoding: 'utf8',
          stdio: ['ignore', 'pipe', 'inherit'],
        });
        console.log(status === 0 ? stdout.trim() : `| ${name} | failed | | | | |`);
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  }
}

/** Rows, queries and what an exact search finds, in files. @param {number} rows @param {string} folder @returns {Promise<Facts>} */
async function prepare(rows, folder) {
  const queries = Number(options.queries);
  const made =
    options.texts === undefined
      ? {
          ...clustered({ rows, queries, dimensions: Number(options.dimensions) }),
          dimensions: Number(options.dimensions),
        }
      : await embedded(options.texts, rows, queries);
  const { data, dimensions } = made;
  const found = await topK(
    { data: made.queries, rows: queries, dimensions },
    { data, rows: data.length / dimensions, dimensions },
    k,
  );
  const truth = found.map((hits) => hits.map(({ index }) => index));
  const facts = { rows: data.length / dimensions, dimensions, queries, truth };
  writeFileSync(join(folder, 'rows'), data);
  writeFileSync(join(folder, 'queries'), made.queries);
  writeFileSync(join(folder, 'facts.json'), JSON.stringify(facts));
  return facts;
}

/** The last texts are the queries. @param {string} file @param {number} rows @param {number} queries */
async function embedded(file, rows, queries) {
  const texts = JSON.parse(readFileSync(file, 'utf8')).slice(0, rows + queries);
  if (texts.length <= queries) throw new Error(`${file} has ${texts.length} texts, no more than ${queries} queries`);
  const session = await Session.load('gteway-mini');
  const { data, dimensions } = await session.embed(texts);
  await session.close();
  const split = (texts.length - queries) * dimensions;
  return { data: data.slice(0, split), queries: data.slice(split), dimensions };
}

/** @param {string} path */
function floats(path) {
  const bytes = readFileSync(path);
  return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
}

function resident() {
  /** @type {any} */ (globalThis).gc?.();
  return process.memoryUsage.rss();
}

/** One contestant, as a row of the table. @param {string} name @param {string} folder */
async function contest(name, folder) {
  const contestant = list.find((each) => each.name === name);
  if (contestant === undefined) throw new Error(`nobody is called ${name}`);
  /** @type {Facts} */
  const { rows, dimensions, queries: count, truth } = JSON.parse(readFileSync(join(folder, 'facts.json'), 'utf8'));
  const data = floats(join(folder, 'rows'));
  const queries = { data: floats(join(folder, 'queries')), rows: count, dimensions };
  const before = resident();
  let begin = performance.now();
  const searching = await contestant.build({ data, rows, dimensions }, threads);
  const built = (performance.now() - begin) / 1000;
  if (searching === undefined) {
    console.log(`| ${name} | | | | more than ${built.toFixed(0)} | |`);
    return;
  }
  const memory = Math.max(0, resident() - before) / 1e6;
  const query = (/** @type {number} */ i) => queries.data.subarray(i * dimensions, (i + 1) * dimensions);
  let right = 0;
  const asked = Math.min(count, contestant.name === 'a plain loop in JavaScript' && rows > 200_000 ? 10 : count);
  await searching.search(query(0), k);
  const times = [];
  for (let i = 0; i < asked; i++) {
    begin = performance.now();
    const found = Array.from(await searching.search(query(i), k), Number);
    times.push(performance.now() - begin);
    right += found.filter((index) => truth[i]?.includes(index)).length;
  }
  times.sort((a, b) => a - b);
  let together = '';
  if (searching.many !== undefined) {
    begin = performance.now();
    await searching.many(queries, k);
    together = ((count / (performance.now() - begin)) * 1000).toFixed(0);
  }
  const recall = ((right / (asked * k)) * 100).toFixed(1);
  const median = times[times.length >> 1] ?? NaN;
  console.log(
    `| ${name} | ${recall} % | ${median.toFixed(3)} | ${together} | ${built.toFixed(2)} | ${memory.toFixed(0)} |`,
  );
}

/** Searches of growing size, awaited one by one: the step is what handing one to threads costs. */
async function threshold() {
  const dimensions = 384;
  console.log('| values | µs a search, float32 | int8 | bits |\n| ---: | ---: | ---: | ---: |');
  for (let power = 12; power <= 22; power++) {
    const cells = [];
    for (const form of /** @type {const} */ (['float32', 'int8', 'bits'])) {
      const rows = Math.max(1, Math.floor(2 ** power / dimensions));
      const made = clustered({ rows, queries: 1, dimensions });
      const data = {
        float32: () => made.data,
        int8: () => Int8Array.from(made.data, (value) => Math.round(value * 127)),
        bits: () => new Uint8Array((rows * dimensions) / 8).fill(0x5a),
      }[form]();
      const buffer = new SharedArrayBuffer(data.byteLength);
      const matrix = { data: new /** @type {any} */ (data.constructor)(buffer), rows, dimensions };
      matrix.data.set(data);
      const times = [];
      for (let i = 0; i < 400; i++) {
        const begin = performance.now();
        await topK(made.queries, matrix, 10);
        times.push((performance.now() - begin) * 1000);
      }
      cells.push(times.sort((a, b) => a - b)[100]?.toFixed(1));
    }
    console.log(`| 2^${power} | ${cells.join(' | ')} |`);
  }
}
