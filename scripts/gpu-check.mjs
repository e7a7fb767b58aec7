#!/usr/bin/env node
// The JavaScript part of scripts/gpu-check.sh: vectors against the float64 references, the effect of the batch, tokens a
// second with tokenizing, and the latency of lone texts beside the CPU engine's. One line of JSON for each figure.
//
//   gpu-check.mjs PACKAGE MODEL PACK
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const [packageRoot, model, pack] = process.argv.slice(2).map((path) => resolve(path));
const { Session } = await import(pathToFileURL(join(packageRoot, 'dist', 'index.js')).href);
const golden = readFileSync(join(pack, 'golden.jsonl'), 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line));
const texts = JSON.parse(readFileSync(join(pack, 'texts.json'), 'utf8'));

const print = (figure) => console.log(JSON.stringify(figure));
const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];
const quantile = (values, q) => values.toSorted((a, b) => a - b)[Math.floor(q * (values.length - 1))];
let failed = false;

/** One part that fails is told; the others still run. */
async function part(name, body) {
  try {
    await body();
  } catch (error) {
    failed = true;
    print({ figure: 'failure', section: name, message: `${error.code ?? error.name}: ${error.message}` });
  }
}

function cosine(a, b) {
  let [ab, aa, bb] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    ab += a[i] * b[i];
    aa += a[i] * a[i];
    bb += b[i] * b[i];
  }
  return ab / Math.sqrt(aa * bb);
}

/** Node.js 20 knows no `await using`. */
async function withSession(options, body) {
  const session = await Session.load(model, options);
  try {
    await body(session);
  } finally {
    await session.close();
  }
}

async function checkVectors(session) {
  const { dtype } = session.info;
  const together = await session.embed(golden.map(({ text }) => text));
  const cosines = golden.map(({ embedding }, i) => cosine(embedding, together.at(i)));
  let different = 0;
  let largest = 0;
  for (const [i, { text }] of golden.entries()) {
    const alone = (await session.embed([text])).at(0);
    const other = together.at(i);
    let same = true;
    for (let c = 0; c < alone.length; c++) {
      largest = Math.max(largest, Math.abs(alone[c] - other[c]));
      same &&= alone[c] === other[c];
    }
    if (!same) different++;
  }
  print({
    figure: 'vectors', dtype, texts: golden.length, least_cosine: Math.min(...cosines), median_cosine: median(cosines),
    different_alone: different, largest_difference: largest, info: session.info,
  }); // prettier-ignore
}

async function measureRates(session) {
  const { dtype, maxBatchTokens } = session.info;
  for (const [name, list] of Object.entries(texts)) {
    const rates = [];
    let tokens = 0;
    for (let round = 0; round < 6; round++) {
      const start = performance.now();
      const result = await session.embed(list);
      const seconds = (performance.now() - start) / 1e3;
      tokens = result.tokens.reduce((sum, n) => sum + n, 0);
      if (round > 0) rates.push(tokens / seconds);
    }
    print({ figure: 'js_rate', dtype, length: name, max_batch_tokens: maxBatchTokens, texts: list.length, tokens,
        tokens_per_second: Math.round(median(rates)), spread: Math.max(...rates) / Math.min(...rates) }); // prettier-ignore
  }
}

async function measureLatency(session, name) {
  for (const length of [16, 64, 128, 512]) {
    const times = [];
    for (let i = 0; i < 330; i++) {
      const start = performance.now();
      await session.embed(texts[length][i % texts[length].length]);
      if (i >= 30) times.push((performance.now() - start) * 1e3);
    }
    print({ figure: 'js_latency', engine: name, dtype: session.info.dtype, length,
      microseconds_p50: Math.round(quantile(times, 0.5)), microseconds_p99: Math.round(quantile(times, 0.99)) }); // prettier-ignore
  }
}

const onGpu = { engine: 'encoder', device: 'cuda' };
for (const dtype of ['fp16', 'bf16']) {
  await part(`vectors ${dtype}`, () => withSession({ ...onGpu, dtype }, checkVectors));
}
if (process.env.GPU_CHECK_ONLY_VECTORS === undefined) {
  for (const maxBatchTokens of [16384, 32768]) {
    await part(`rate ${maxBatchTokens}`, () => withSession({ ...onGpu, maxBatchTokens }, measureRates));
  }
  await part('latency cuda', () => withSession(onGpu, (session) => measureLatency(session, 'cuda')));
  await part('latency cpu', () =>
    withSession({ engine: 'encoder', device: 'cpu' }, (session) => measureLatency(session, 'cpu')),
  );
}
process.exitCode = failed ? 1 : 0;
