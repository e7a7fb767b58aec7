#!/usr/bin/env node
// gteway serve under load from a second process, beside the library itself and a plain server.   node bench/serve/run.mjs
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { textSource } from '../cases/texts.mjs';
import { installDependencies } from '../dependencies.mjs';
import { benchModel } from '../model.mjs';
import { askProcess, startGteway } from './processes.mjs';

const usage = `node bench/serve/run.mjs [options]
  --seconds N     of each measurement, after a warm-up (default 10)
  --threads N     native threads (default: all ${availableParallelism()} processors)
  --dtype TYPE    of gteway: auto, fp32, bf16, int8 (default auto); the other server computes in fp32
  --model DIR     a model directory instead of the one made in bench/.cache
  --alone         without the other server
  --json FILE     write all results`;

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '10' },
    threads: { type: 'string', default: String(availableParallelism()) },
    dtype: { type: 'string', default: 'auto' },
    model: { type: 'string' },
    alone: { type: 'boolean', default: false },
    json: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  console.log(usage);
  process.exit();
}

const seconds = Number(values.seconds);
const threads = Number(values.threads);
if (!(seconds > 0) || !Number.isInteger(threads) || threads < 1) throw new RangeError(usage);

/** @type {{ name: string, corpus: 'queries' | 'passages', batch: number, connections: number }[]} */
const loads = [
  ...[1, 8, 64, 512].map((connections) => ({
    name: `one query, ${connections} connection${connections === 1 ? '' : 's'}`,
    corpus: /** @type {const} */ ('queries'),
    batch: 1,
    connections,
  })),
  { name: '32 queries, 8 connections', corpus: 'queries', batch: 32, connections: 8 },
  { name: 'one passage, 64 connections', corpus: 'passages', batch: 1, connections: 64 },
];

installDependencies();
const model = await benchModel(values.model);
const source = textSource(model.directory, model.corpus);
const corpora = { queries: source.corpus('queries'), passages: source.corpus('passages') };

/** Texts per second of the library alone, by corpus. */
const library = {};
for (const [name, texts] of Object.entries(corpora)) {
  library[name] = await askProcess('./library.mjs', {
    model: model.directory,
    dtype: values.dtype,
    threads,
    seconds,
    texts,
  });
}

/** @param {string} url */
async function measureAll(url) {
  const rows = [];
  let seed = 1;
  for (const { name, corpus, batch, connections } of loads) {
    const result = await askProcess('./client.mjs', {
      url,
      path: '/v1/embeddings',
      connections,
      batch,
      seconds,
      texts: corpora[corpus],
      seed,
    });
    // No text twice in a run.
    seed += 10_000_000;
    rows.push({ name, ...result, ofLibrary: result.textsPerSecond / library[corpus].textsPerSecond });
    console.error(`  ${name}: ${result.textsPerSecond.toFixed(0)} texts/s`);
  }
  return rows;
}

const args = ['--threads', String(threads), '--dtype', values.dtype];
const server = await startGteway(`bench=${model.directory}`, args);
console.error('gteway serve');
const gteway = await measureAll(server.url);
const exitCode = await server.stop();
if (exitCode !== 0) throw new Error(`gteway serve ended with ${exitCode}`);

let plain;
if (!values.alone) {
  const child = fork(fileURLToPath(new URL('./transformers-server.mjs', import.meta.url)), [
    model.directory,
    String(threads),
  ]);
  const [url] = await once(child, 'message');
  console.error('fastify + transformers.js');
  plain = await measureAll(url);
  child.kill();
}

console.log(`${model.about}; ${source.about}; ${threads} threads; ${seconds} s each\n`);
for (const [name, { textsPerSecond, about }] of Object.entries(library)) {
  console.log(`the library alone, ${name}: ${textsPerSecond.toFixed(0)} texts/s (${about})`);
}
for (const [title, rows] of /** @type {const} */ ([
  ['gteway serve', gteway],
  ['fastify + transformers.js, fp32', plain],
])) {
  if (rows === undefined) continue;
  console.log(`\n${title}\n| | requests/s | texts/s | of the library | p50 ms | p95 | p99 | other than 200 |`);
  console.log('| --- | ---: | ---: | ---: | ---: | ---: | ---: | --- |');
  for (const row of rows) {
    const { 200: _ok, ...others } = row.statuses;
    const cells = [
      row.name,
      row.requestsPerSecond.toFixed(1),
      row.textsPerSecond.toFixed(0),
      `${(row.ofLibrary * 100).toFixed(0)} %`,
      ...[row.p50, row.p95, row.p99].map((value) => value.toFixed(1)),
      Object.keys(others).length === 0 ? '–' : JSON.stringify(others),
    ];
    console.log(`| ${cells.join(' | ')} |`);
  }
}
if (values.json !== undefined) {
  writeFileSync(values.json, JSON.stringify({ seconds, threads, library, gteway, plain }, undefined, 1));
}
