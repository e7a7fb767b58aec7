/**
 * What HTTP costs: one query a request, from one connection and from eight, beside the library called the same way and
 * beside a route of fastify that computes nothing. The client is wrk, which takes little of the machine; where it is
 * missing it is the one of run.mjs, which takes more.
 */
import { writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { countedTexts } from '../cases/counted-texts.mjs';
import { median } from '../measure/statistics.mjs';
import { benchModel } from '../model.mjs';
import { askProcess, Helper, startGteway } from './processes.mjs';
import { hasWrk, loadWithWrk } from './wrk.mjs';

const usage = `npm run bench -- http [options]
  --seconds N     of each measurement, whole ones (default 2)
  --rounds N      in turns (default 5)
  --threads N     native threads (default: all ${availableParallelism()} processors)
  --dtype TYPE    (default auto)
  --format TYPE   of the vectors: base64 or float (default base64)
  --model DIR     a model directory instead of the one made in bench/.cache
  --beside DIR    gteway serve of another checkout, built, in turns with this one's
  --json FILE     write all results`;

/** @typedef {{ perSecond: number, p50: number, p99: number }} Figures texts, milliseconds */

const connections = [1, 8];

/** @param {string[]} args */
export async function runHttp(args) {
  const { values } = parseArgs({
    args,
    options: {
      seconds: { type: 'string', default: '2' },
      rounds: { type: 'string', default: '5' },
      threads: { type: 'string', default: String(availableParallelism()) },
      dtype: { type: 'string', default: 'auto' },
      format: { type: 'string', default: 'base64' },
      model: { type: 'string' },
      beside: { type: 'string' },
      json: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return console.log(usage);
  const [seconds, rounds, threads] = [values.seconds, values.rounds, values.threads].map(Number);
  if (![seconds, rounds, threads].every((value) => Number.isInteger(value) && value > 0)) throw new RangeError(usage);

  const model = await benchModel(values.model);
  const texts = countedTexts(model.directory, model.corpus, () => 0).corpus('queries');
  const { dtype, format } = values;
  const library = new Helper('./library-calls.mjs');
  const about = await library.ask({ model: model.directory, dtype, threads });
  const floor = new Helper('./constant-server.mjs');
  const floorUrl = await floor.ask({ dimensions: about.dimensions });
  const serverArgs = ['--threads', String(threads), '--dtype', dtype];
  const server = await startGteway(`bench=${model.directory}`, serverArgs);
  const other = values.beside && (await startGteway(`bench=${model.directory}`, serverArgs, resolve(values.beside)));

  let seed = 0;
  /** @returns {Promise<Figures>} */
  const load = async (/** @type {string} */ url, /** @type {number} */ count) => {
    seed += 10_000_000;
    const question = { url, path: '/v1/embeddings', connections: count, seconds, texts, seed, format };
    if (hasWrk()) return loadWithWrk(question);
    const { textsPerSecond, p50, p99 } = await askProcess('./client.mjs', { ...question, batch: 1 });
    return { perSecond: textsPerSecond, p50, p99 };
  };
  const ways = {
    'the library': (/** @type {number} */ calls) => library.ask({ calls, batch: 1, seconds, texts }),
    'fastify, a constant': (/** @type {number} */ count) => load(floorUrl, count),
    'gteway serve': (/** @type {number} */ count) => load(server.url, count),
    ...(other && { 'the other gteway serve': (/** @type {number} */ count) => load(other.url, count) }),
  };
  /** @type {Record<string, Figures[]>} */
  const samples = {};
  const keep = (/** @type {string} */ key, /** @type {Figures} */ figures) => (samples[key] ??= []).push(figures);
  for (let round = -1; round < rounds; round++) {
    const bulk = await library.ask({ calls: 8, batch: 32, seconds, texts });
    if (round >= 0) keep('bulk', bulk);
    for (const count of connections) {
      for (const [name, measure] of Object.entries(ways)) {
        const figures = await measure(count);
        // The first round warms up.
        if (round >= 0) keep(`${name} ${count}`, figures);
      }
    }
    console.error(round < 0 ? 'warm' : `round ${round + 1} of ${rounds}`);
  }
  await server.stop();
  if (other) await other.stop();
  library.end();
  floor.end();

  const of = (/** @type {string} */ key, /** @type {keyof Figures} */ what) =>
    median((samples[key] ?? []).map((figures) => figures[what]));
  const client = hasWrk() ? 'wrk' : 'undici, in a process of its own';
  console.log(
    `${model.about}; ${about.engine} ${about.dtype}; ${threads} threads; client: ${client}; vectors as ${format}`,
  );
  console.log(`medians of ${rounds} rounds of ${seconds} s, in turns\n`);
  console.log(`the library, 8 calls of 32 queries: ${of('bulk', 'perSecond').toFixed(0)} texts/s\n`);
  console.log(
    '| one query each | connections or calls | texts/s | of the library called so | of 8 × 32 | p50 ms | p99 |',
  );
  console.log('| --- | ---: | ---: | ---: | ---: | ---: | ---: |');
  for (const count of connections) {
    for (const name of Object.keys(ways)) {
      const key = `${name} ${count}`;
      // Ratios within a round: the machine is not the same in the next.
      const ratio = (/** @type {string} */ to) =>
        median((samples[key] ?? []).map(({ perSecond }, i) => perSecond / (samples[to]?.[i]?.perSecond ?? NaN)));
      const percent = (/** @type {number} */ value) => `${(value * 100).toFixed(0)} %`;
      const computes = !name.startsWith('fastify');
      const cells = [
        ...[name, count, of(key, 'perSecond').toFixed(0)],
        computes ? percent(ratio(`the library ${count}`)) : '',
        computes ? percent(ratio('bulk')) : '',
        ...[of(key, 'p50').toFixed(2), of(key, 'p99').toFixed(2)],
      ];
      console.log(`| ${cells.join(' | ')} |`);
    }
  }
  console.log('\np50 over the library’s, one connection or call:');
  for (const name of Object.keys(ways).filter((way) => way.includes('serve'))) {
    const over = (samples[`${name} 1`] ?? []).map(({ p50 }, i) => p50 - (samples['the library 1']?.[i]?.p50 ?? NaN));
    console.log(`${name}: ${median(over).toFixed(2)} ms`);
  }
  if (values.json !== undefined)
    writeFileSync(values.json, JSON.stringify({ seconds, threads, about, samples }, undefined, 1));
}
