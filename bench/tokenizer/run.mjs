#!/usr/bin/env node
// How fast text becomes ids.   npm run bench -- tokenizer [--quick] [--corpus DIR] [--model DIR] [--json FILE]
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { machine } from '../measure/machine.mjs';
import { number, table } from '../report/table.mjs';
import { gteway } from './drivers/gteway.mjs';
import { huggingfaceJs } from './drivers/huggingface-js.mjs';
import { huggingfaceRust } from './drivers/huggingface-rust.mjs';
import { measureNative } from './native.mjs';

const shared = fileURLToPath(new URL('../../../shared', import.meta.url));
const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    corpus: { type: 'string', default: join(shared, 'corpus') },
    model: { type: 'string', default: join(shared, 'models/gte-small') },
    json: { type: 'string' },
  },
});

/** @type {import('./drivers/driver.mjs').Driver[]} */
const drivers = [gteway, huggingfaceRust, huggingfaceJs];
const corpora = ['queries', 'sentences', 'passages', 'long', 'mixed'];

if (!existsSync(join(options.model, 'tokenizer.json')) || !existsSync(join(options.corpus, 'mixed.json'))) {
  console.error(
    `the tokenizer bench needs ${options.model}/tokenizer.json and ${options.corpus}/{${corpora.join(',')}}.json; ` +
      'name others with --model and --corpus',
  );
  process.exit(2);
}
/** @type {{ name: string, texts: string[], bytes: number }[]} */
const cases = corpora.map((name) => {
  const texts = JSON.parse(readFileSync(join(options.corpus, `${name}.json`), 'utf8'));
  return { name, texts, bytes: bytesOf(texts) };
});
const all = cases.flatMap(({ texts }) => texts);
cases.push({ name: 'all', texts: all, bytes: bytesOf(all) });

/** The kinds of tokenizers: BERT's by --model, and of the tiny models of other families one of each kind. */
const families = join(shared, 'models/families');
const kinds = [
  { name: 'WordPiece', directory: options.model },
  { name: 'Unigram, as XLM-RoBERTa has it', directory: join(families, 'xlm-roberta') },
  { name: 'byte-level BPE, as ModernBERT has it', directory: join(families, 'modernbert') },
].filter(({ directory }) => existsSync(join(directory, 'tokenizer.json')));

const rounds = options.quick ? 3 : 7;
const secondsPerRound = options.quick ? 0.05 : 0.2;
/**
 * Side by side: each round gives every way its turn, so that what the machine does meanwhile meets all of them.
 *
 * @param {import('./drivers/driver.mjs').Way[]} ways
 * @param {{ texts: string[], bytes: number }} item
 */
async function measure(ways, { texts, bytes }) {
  const speeds = ways.map(() => /** @type {number[]} */ ([]));
  for (let round = 0; round < rounds; round++) {
    for (const [i, way] of ways.entries()) {
      let passes = 0;
      const begin = performance.now();
      do {
        await way.run(texts);
        passes++;
      } while (performance.now() - begin < secondsPerRound * 1000);
      speeds[i].push((passes * bytes) / (performance.now() - begin) / 1000);
    }
  }
  return speeds.map(median);
}

/** @param {{ name: string, directory: string }} kind */
async function compare({ name, directory }) {
  const ways = (await Promise.all(drivers.map((driver) => driver.load(directory)))).flat();

  // Nobody's time counts before its ids are ours. (The JavaScript implementation differs in some texts; it is told.)
  const expected = await ways[0].ids(all);
  const differing = new Map();
  for (const way of ways) {
    const ids = await way.ids(all);
    const wrong = all.filter((_, i) => !sameIds(ids[i], expected[i])).length;
    differing.set(way.name, wrong);
    if (wrong > all.length / 100) console.log(`${way.name} gives other ids for ${wrong} of ${all.length} texts`);
  }
  const speeds = [];
  for (const item of cases) speeds.push(await measure(ways, item));
  const peer = ways.findIndex((way) => way.name === 'tokenizers (Rust), encode one by one');
  console.log(`${name}: MB/s from JavaScript, wall-clock, median of ${rounds} rounds side by side`);
  console.log(
    table(
      ['', ...cases.map((item) => item.name), 'all ÷ Rust', 'texts that differ'],
      ways.map((way, i) => [
        way.name,
        ...speeds.map((column) => number(column[i])),
        number(speeds[cases.length - 1][i] / speeds[cases.length - 1][peer]),
        String(differing.get(way.name)),
      ]),
    ),
  );
  return {
    name,
    fastest: speeds[cases.length - 1][0],
    ways: ways.map((way, i) => ({
      name: way.name,
      differing: differing.get(way.name),
      mbPerSecond: Object.fromEntries(cases.map((item, k) => [item.name, speeds[k][i]])),
    })),
  };
}

const javascript = [];
for (const kind of kinds) javascript.push(await compare(kind));
console.log('(tokenizers’ encodeBatch uses all cores; everything else is one thread)');

const [corpus, limited, hostile] = measureNative(options.model, all, ['corpus', 'limited', 'hostile']);
console.log('\nNative, one thread, processor time');
console.log(
  table(
    ['', 'MB/s', 'ns/byte', 'tokens'],
    corpus.map((row) => [row.case, number(row.mbPerSecond), row.nsPerByte.toFixed(2), row.tokens.toLocaleString('en')]),
  ),
);
const stage = (/** @type {string} */ name) => corpus.find((row) => row.case.startsWith(name))?.nsPerByte ?? NaN;
const split = stage('stages 1 and 2');
const counted = stage('stages 1 to 3');
const whole = stage('all texts joined');
const fromJs = 1000 / javascript[0].fastest;
console.log(
  `per byte: clean, lower, split ${split.toFixed(2)} ns · lookup and pieces ${(counted - split).toFixed(2)} ns · ` +
    `output ${Math.max(0, whole - counted).toFixed(2)} ns · beginning and ending a text ` +
    `${(stage('one call per text') - whole).toFixed(2)} ns · crossing from JavaScript and back ` +
    `${Math.max(0, fromJs - stage('one call per text')).toFixed(2)} ns of ${fromJs.toFixed(2)}`,
);

console.log('\nA limit of 512 tokens');
console.log(
  table(
    ['', 'µs'],
    limited.map((row) => [row.case, ((row.nsPerByte * row.bytes) / 1000).toFixed(1)]),
  ),
);

console.log('\nHostile texts: ns/byte as they grow');
const names = [...new Set(hostile.map((row) => row.case))];
console.log(
  table(
    ['', '10 kB', '100 kB', '1 MB'],
    names.map((name) => [name, ...hostile.filter((row) => row.case === name).map((row) => row.nsPerByte.toFixed(2))]),
  ),
);
if (options.json !== undefined) {
  writeFileSync(options.json, JSON.stringify({ machine: machine(), javascript, corpus, limited, hostile }, null, 2));
}

/** @param {string[]} texts */
function bytesOf(texts) {
  return texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
}

/** @param {ArrayLike<number>} a @param {ArrayLike<number>} b */
function sameIds(a, b) {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (Number(a[i]) !== b[i]) return false;
  return true;
}

/** @param {number[]} values */
function median(values) {
  return values.sort((a, b) => a - b)[values.length >> 1] ?? NaN;
}
