#!/usr/bin/env node
// Writes native/src/tokenizer/unicode_data.cpp: what Hugging Face tokenizers does to each code point, asked of the
// library itself, so that the answer does not depend on guessing which Unicode version each of its crates carries.
//
//   npm install --prefix DIR --ignore-scripts tokenizers@0.23.2
//   node scripts/generate-unicode-tables.mjs DIR && node scripts/format.mjs
//
// Only needed again when the reference changes: the output is committed.
import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { array, inBlocks } from './code-point-blocks.mjs';

const directory = process.argv[2];
if (directory === undefined) {
  console.error('usage: generate-unicode-tables.mjs DIRECTORY_WITH_node_modules/tokenizers');
  process.exit(2);
}
const require = createRequire(join(resolve(directory), 'index.js'));
const { bertNormalizer, bertPreTokenizer, nfdNormalizer, Tokenizer } = require('tokenizers');
const { version } = require('tokenizers/package.json');

const off = { cleanText: false, handleChineseChars: false, stripAccents: false, lowercase: false };
const clean = bertNormalizer({ ...off, cleanText: true });
const chinese = bertNormalizer({ ...off, handleChineseChars: true });
const strip = bertNormalizer({ ...off, stripAccents: true });
const lower = bertNormalizer({ ...off, lowercase: true });
const nfd = nfdNormalizer();
const splitter = bertPreTokenizer();

const codePoints = [];
for (let point = 0; point < 0x110000; point++) if (point < 0xd800 || point > 0xdfff) codePoints.push(point);
const points = (text) => Array.from(text, (char) => char.codePointAt(0));

// Bits of Properties::flags in unicode.hpp.
const flag = {
  control: 1 << 0,
  cleanedToSpace: 1 << 1,
  whitespace: 1 << 2,
  chinese: 1 << 3,
  nonspacingMark: 1 << 4,
  punctuation: 1 << 5,
  word: 1 << 6,
  hangul: 1 << 7,
  decomposes: 1 << 8,
  lowers: 1 << 9,
  reorders: 1 << 10,
};

/**
 * Code points that a `single_word` added token must not touch: the \w of the reference's regular expressions. The token
 * is not in the vocabulary, so that its id tells that it matched.
 */
async function wordCharacters() {
  const probe = Tokenizer.fromString(
    JSON.stringify({
      version: '1.0',
      added_tokens: [
        { id: 1, content: 'X', single_word: true, lstrip: false, rstrip: false, normalized: false, special: true },
      ],
      pre_tokenizer: { type: 'BertPreTokenizer' },
      model: {
        type: 'WordPiece',
        unk_token: '?',
        continuing_subword_prefix: '##',
        max_input_chars_per_word: 9,
        vocab: { '?': 0 },
      },
    }),
  );
  const words = new Set();
  for (let start = 0; start < codePoints.length; start += 20_000) {
    const part = codePoints.slice(start, start + 20_000);
    const encodings = await probe.encodeBatch(part.map((point) => `X${String.fromCodePoint(point)}`));
    encodings.forEach((encoding, i) => {
      if (encoding.getIds()[0] !== 1) words.add(part[i]);
    });
  }
  return words;
}

/**
 * The rank of each code point that canonical ordering moves: the same order as its combining class, numbered without
 * gaps. Found by letting the reference order pairs.
 */
function combiningRanks() {
  const swaps = (first, second) => {
    const text = String.fromCodePoint(first, second);
    return nfd.normalizeString(text) !== text;
  };
  // U+0334 has combining class 1, the lowest; U+0345 has 240, the highest.
  const movable = codePoints.filter(
    (point) =>
      nfd.normalizeString(String.fromCodePoint(point)) === String.fromCodePoint(point) &&
      (swaps(point, 0x334) || swaps(0x345, point)),
  );
  const classes = [];
  for (const point of movable) {
    let at = 0;
    while (at < classes.length && swaps(point, classes[at][0])) at++;
    // Everything before `at` orders before the point; the class at `at` is the same one unless the point goes first.
    if (at < classes.length && !swaps(classes[at][0], point)) classes[at].push(point);
    else classes.splice(at, 0, [point]);
  }
  return new Map(classes.flatMap((members, i) => members.map((point) => [point, i + 1])));
}

const ranks = combiningRanks();
const words = await wordCharacters();

const pool = [];
const poolAt = new Map();
function pooled(mapped) {
  const key = mapped.join();
  let at = poolAt.get(key);
  if (at === undefined) {
    at = pool.length;
    pool.push(...mapped);
    poolAt.set(key, at);
  }
  return at;
}

const records = [];
const recordAt = new Map();
const recordOf = new Uint16Array(0x110000);
for (const point of codePoints) {
  const text = String.fromCodePoint(point);
  let flags = 0;
  const cleaned = clean.normalizeString(text);
  if (cleaned === '') flags |= flag.control;
  else if (cleaned === ' ') flags |= flag.cleanedToSpace;
  else if (cleaned !== text) throw new Error(`clean_text makes ${JSON.stringify(cleaned)} of ${point.toString(16)}`);
  const spaced = chinese.normalizeString(text);
  if (spaced === ` ${text} `) flags |= flag.chinese;
  else if (spaced !== text) throw new Error(`handle_chinese_chars: ${point.toString(16)}`);

  // A mark between two letters is neither; alone it would vanish with its neighbours' pieces.
  const pieces = splitter.preTokenizeString(`a${text}a`).map(([piece]) => piece);
  if (pieces.length === 2) flags |= flag.whitespace;
  else if (pieces.length === 3) flags |= flag.punctuation;
  if (words.has(point)) flags |= flag.word;

  const decomposed = points(nfd.normalizeString(text));
  let decomposition = [];
  if (point >= 0xac00 && point <= 0xd7a3) flags |= flag.hangul;
  else if (decomposed.length !== 1 || decomposed[0] !== point) {
    decomposition = decomposed;
    flags |= flag.decomposes;
  }
  const stripped = points(strip.normalizeString(text));
  if (stripped.length === 0 && decomposition.length === 0) flags |= flag.nonspacingMark;
  const lowered = points(lower.normalizeString(text));
  const lowers = lowered.length !== 1 || lowered[0] !== point;
  if (lowers) flags |= flag.lowers;
  const rank = ranks.get(point) ?? 0;
  if (rank > 0) flags |= flag.reorders;

  const record = [
    flags,
    rank,
    decomposition.length,
    decomposition.length > 0 ? pooled(decomposition) : 0,
    lowers ? lowered.length : 0,
    lowers ? pooled(lowered) : 0,
  ];
  const key = record.join();
  let at = recordAt.get(key);
  if (at === undefined) {
    at = records.length;
    records.push(record);
    recordAt.set(key, at);
  }
  recordOf[point] = at;
}
// Surrogates never reach the tables: the decoder reads them as U+FFFD.
recordOf.fill(recordOf[0xfffd], 0xd800, 0xe000);

const { index, blocks, count } = inBlocks(recordOf);

const source = `// Generated by scripts/generate-unicode-tables.mjs from tokenizers ${version}; do not edit.
//
// The reference mixes Unicode versions: its general categories (control, punctuation, nonspacing mark) are those of
// 8.0, its decompositions, lower case, white space and \\w newer. These tables are what it does, not what a version says.
#include "tokenizer/unicode.hpp"

// clang-format off
namespace gteway::unicode::data {

${array(
  'Properties',
  'kRecords',
  records.map((record) => `{${record.join(', ')}}`),
)}
${array('char32_t', 'kPool', pool)}
${array('uint16_t', 'kBlockIndex', index)}
${array('uint16_t', 'kBlocks', blocks)}
}  // namespace gteway::unicode::data
`;
const target = fileURLToPath(new URL('../native/src/tokenizer/unicode_data.cpp', import.meta.url));
writeFileSync(target, source);
console.log(
  `${target}: ${records.length} records, ${pool.length} pooled code points, ${count} blocks, ` +
    `${new Set(ranks.values()).size} combining classes of ${ranks.size} code points, ${words.size} word characters`,
);
