/**
 * How fast texts are cut into chunks: megabytes (UTF-16 units) a second on one thread, beside the parts it is made of.
 *
 *   npm run build:all && node bench/documents/chunking.mjs [model]
 *
 * The text is this repository's documentation, over and over. Each figure is the best of five.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Tokenizer } from '../../dist/index.js';
import { Pieces } from '../../dist/documents/pieces.js';
import { splitProse } from '../../dist/documents/prose.js';

const docs = fileURLToPath(new URL('../../docs/', import.meta.url));
const pages = readdirSync(docs)
  .filter((name) => name.endsWith('.md'))
  .map((name) => readFileSync(docs + name, 'utf8'));
const once = pages.join('\n\n');
const text = Buffer.from(once.repeat(Math.ceil(4e6 / once.length))).toString();
const tokenizer = await Tokenizer.load(process.argv[2] ?? 'gteway-mini');

/** @param {string} name @param {() => number} work returns how many it made */
function line(name, work, units = text.length) {
  let best = Infinity;
  let made = 0;
  for (let round = 0; round < 5; round++) {
    const begin = performance.now();
    made = work();
    best = Math.min(best, performance.now() - begin);
  }
  console.log(`${name.padEnd(44)} ${(units / 1000 / best).toFixed(1).padStart(7)} MB/s  ${made}`);
}

line('tokenizer.count', () => tokenizer.count(text));
line('the sentences of our own pass', () => {
  const pieces = new Pieces();
  return Array.from(splitProse(text, pieces)).length && pieces.count;
});
const sentences = new Intl.Segmenter('en', { granularity: 'sentence' });
const windows = Array.from({ length: 200 }, (_, i) => text.slice(i * 2048, (i + 1) * 2048));
line(
  'those of Intl.Segmenter, 2,048 units at a time',
  () => windows.reduce((sum, window) => sum + Array.from(sentences.segment(window)).length, 0),
  200 * 2048,
);
for (const by of /** @type {const} */ (['paragraph', 'sentence', 'markdown', 'code', 'word'])) {
  for (const overlap of [0, 32])
    line(
      `chunks of 256 by ${by}, overlap ${overlap}`,
      () => tokenizer.chunk(text, { maxTokens: 256, overlap, by }).length,
    );
}
