#!/usr/bin/env node
// gteway serve at full load from clients of whom some leave: memory, handles and every vector.   node bench/serve/soak.mjs
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Pool } from 'undici';
import { textSource } from '../cases/texts.mjs';
import { installDependencies } from '../dependencies.mjs';
import { randomNumbers } from '../measure/statistics.mjs';
import { benchModel } from '../model.mjs';
import { startGteway } from './processes.mjs';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '15' },
    connections: { type: 'string', default: '64' },
    model: { type: 'string' },
    seed: { type: 'string', default: '1' },
  },
});
const minutes = Number(values.minutes);
const connections = Number(values.connections);
if (!(minutes > 0) || !Number.isInteger(connections) || connections < 1) {
  throw new RangeError('node bench/serve/soak.mjs [--minutes N] [--connections N] [--model DIR] [--seed N]');
}

installDependencies();
const model = await benchModel(values.model);
const source = textSource(model.directory, model.corpus);
const texts = [...source.corpus('queries').slice(0, 300), ...source.corpus('mixed').slice(0, 100)];
const { Session } = await import(new URL('../../dist/index.js', import.meta.url).href);
const session = await Session.load(model.directory);
const reference = await session.embed(texts);
await session.close();

const random = randomNumbers(Number(values.seed));
const below = (/** @type {number} */ bound) => Math.floor(random() * bound);

const server = await startGteway(`bench=${model.directory}`, ['--max-queue', '1024']);
const counts = { answered: 0, vectors: 0, left: 0, overloaded: 0 };
/** @type {string[]} */
const wrong = [];
const until = performance.now() + minutes * 60_000;

/**
 * @param {Pool} pool
 * @param {AbortSignal} [signal]
 */
async function ask(pool, signal) {
  const indices = Array.from({ length: 1 + below(32) }, () => below(texts.length));
  const isBase64 = random() < 0.5;
  const body = JSON.stringify({
    model: 'bench',
    input: indices.map((index) => texts[index]),
    encoding_format: isBase64 ? 'base64' : 'float',
  });
  const headers = { 'content-type': 'application/json' };
  const answer = await pool.request({ path: '/v1/embeddings', method: 'POST', headers, body, signal });
  const json = /** @type {any} */ (await answer.body.json());
  if (answer.statusCode === 429) {
    counts.overloaded++;
    return sleep(50 + below(200));
  }
  if (answer.statusCode !== 200 || json.data.length !== indices.length) {
    wrong.push(`status ${answer.statusCode}: ${JSON.stringify(json).slice(0, 300)}`);
    return;
  }
  counts.answered++;
  for (const [i, { embedding }] of json.data.entries()) {
    counts.vectors++;
    const similarity = cosine(isBase64 ? decode(embedding) : embedding, reference.at(indices[i]));
    if (!(similarity > 0.9999)) wrong.push(`text ${indices[i]}: cosine ${similarity} to the reference`);
  }
}

async function client() {
  const pool = new Pool(server.url, { connections: 1 });
  while (performance.now() < until && wrong.length < 20) {
    const isLeaving = random() < 0.15;
    const controller = new AbortController();
    if (isLeaving) setTimeout(() => controller.abort(), below(300));
    try {
      await ask(pool, controller.signal);
    } catch (error) {
      if (isLeaving && controller.signal.aborted) counts.left++;
      else wrong.push(String(error));
    }
  }
  await pool.destroy();
}

/** @param {string} base64 */
function decode(base64) {
  const bytes = Buffer.from(base64, 'base64');
  return Float32Array.from({ length: bytes.length / 4 }, (_, i) => bytes.readFloatLE(i * 4));
}

/**
 * @param {ArrayLike<number>} a
 * @param {ArrayLike<number>} b
 */
function cosine(a, b) {
  let [ab, aa, bb] = [0, 0, 0];
  for (let i = 0; i < b.length; i++) {
    ab += a[i] * b[i];
    aa += a[i] * a[i];
    bb += b[i] * b[i];
  }
  return ab / Math.sqrt(aa * bb);
}

/** @returns {Promise<{ megabytes: number, inFlight: number, queued: number, handles: Record<string, number> }>} */
async function state() {
  const text = await (await fetch(`${server.url}/metrics`, { headers: { connection: 'close' } })).text();
  const value = (/** @type {RegExp} */ series) => Number(series.exec(text)?.[1]);
  const handles = [...text.matchAll(/^nodejs_active_resources\{type="(\w+)"\} (\d+)$/gm)];
  return {
    megabytes: value(/^process_resident_memory_bytes (\S+)/m) / 2 ** 20,
    inFlight: value(/^gteway_http_requests_in_flight (\S+)/m),
    queued: value(/^gteway_queue_texts\{[^}]*\} (\S+)/m),
    handles: Object.fromEntries(handles.map(([, type, count]) => [type, Number(count)])),
  };
}

const before = await state();
const clients = Array.from({ length: connections }, client);
/** @type {number[]} */
const samples = [];
const all = Promise.all(clients).then(() => 'done');
const step = Math.min(10_000, (minutes * 60_000) / 12);
while ((await Promise.race([all, sleep(step, 'sample')])) === 'sample') {
  samples.push((await state()).megabytes);
  console.error(
    `${samples.length}: ${samples.at(-1)?.toFixed(0)} MiB, ${JSON.stringify(counts)}, ${wrong.length} wrong`,
  );
}
await all;
await sleep(2000);
const after = await state();
const exitCode = await server.stop();

const third = Math.max(1, Math.floor(samples.length / 3));
const median = (/** @type {number[]} */ list) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)] ?? NaN;
const [middle, last] = [median(samples.slice(third, 2 * third)), median(samples.slice(-third))];
const growth = last - middle;
const handles = (/** @type {Record<string, number>} */ of) => Object.values(of).reduce((sum, count) => sum + count, 0);
console.log(JSON.stringify(counts));
console.log(
  `resident MiB: ${before.megabytes.toFixed(0)} before, ${middle.toFixed(0)} in the second third, ${last.toFixed(0)} in the last`,
);
console.log(`handles: ${JSON.stringify(before.handles)} before, ${JSON.stringify(after.handles)} after`);
/** @type {[boolean, string][]} */
const checks = [
  [wrong.length === 0, `every vector right${wrong.length === 0 ? '' : `: ${wrong.slice(0, 5).join('; ')}`}`],
  [counts.left > 0 && counts.answered > 0, 'some clients left and others were answered'],
  [growth < Math.max(16, middle * 0.05), `memory flat (${growth.toFixed(1)} MiB from the second third to the last)`],
  [
    after.queued === 0 && after.inFlight === 1,
    `nothing left in the queue (${after.queued}) nor in flight but this question`,
  ],
  [handles(after.handles) <= handles(before.handles), 'no handle left behind'],
  [exitCode === 0, `exit code 0 (${exitCode})`],
];
for (const [holds, what] of checks) console.log(`${holds ? 'ok  ' : 'FAIL'} ${what}`);
process.exitCode = checks.every(([holds]) => holds) ? 0 : 1;
