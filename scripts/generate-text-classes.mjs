#!/usr/bin/env node
// Writes native/src/tokenizer/text_classes_data.cpp: what the regular expressions, normal forms and grapheme clusters of
// Hugging Face tokenizers see in each code point, asked of the library itself (see generate-unicode-tables.mjs for why).
//
//   npm install --prefix DIR --ignore-scripts tokenizers@0.23.2
//   node scripts/generate-text-classes.mjs DIR && node scripts/format.mjs
//
// Only needed again when the reference changes: the output is committed.
import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { array, inBlocks } from './code-point-blocks.mjs';

const directory = process.argv[2];
if (directory === undefined) {
  console.error('usage: generate-text-classes.mjs DIRECTORY_WITH_node_modules/tokenizers');
  process.exit(2);
}
const require = createRequire(join(resolve(directory), 'index.js'));
const tokenizers = require('tokenizers');
const { version } = require('tokenizers/package.json');

const codePoints = [];
for (let point = 0; point < 0x110000; point++) if (point < 0xd800 || point > 0xdfff) codePoints.push(point);
const points = (text) => Array.from(text, (char) => char.codePointAt(0));
const chars = (list) => list.map((point) => String.fromCodePoint(point));

// Bits of TextClass in text_classes.hpp.
const bit = {
  letter: 1 << 0,
  number: 1 << 1,
  space: 1 << 2,
  mark: 1 << 3,
  numeric: 1 << 4,
  attaches: 1 << 5,
  prepends: 1 << 6,
  control: 1 << 7,
  pictographic: 1 << 8,
  nfcInert: 1 << 9,
  nfkcInert: 1 << 10,
  combining: 1 << 11,
};

/** Code points that the reference's regular expressions count to a class. */
function matching(regex) {
  const tokenizer = tokenizers.Tokenizer.fromString(
    JSON.stringify({
      version: '1.0',
      added_tokens: [],
      normalizer: { type: 'Replace', pattern: { Regex: regex }, content: '' },
      model: {
        type: 'WordPiece',
        unk_token: '?',
        continuing_subword_prefix: '##',
        max_input_chars_per_word: 9,
        vocab: { '?': 0 },
      },
    }),
  );
  const left = new Set();
  for (let start = 0; start < codePoints.length; start += 5000)
    for (const point of points(
      tokenizer.getNormalizer().normalizeString(chars(codePoints.slice(start, start + 5000)).join('')),
    ))
      left.add(point);
  return new Set(codePoints.filter((point) => !left.has(point)));
}

/** Those that the Digits pre-tokenizer parts from letters. */
function numeric() {
  const digits = tokenizers.digitsPreTokenizer(true);
  const found = new Set();
  for (let start = 0; start < codePoints.length; start += 5000) {
    const text = chars(codePoints.slice(start, start + 5000)).join('a');
    for (const [piece] of digits.preTokenizeString(`a${text}a`)) {
      const [first, ...more] = points(piece);
      if (more.length === 0 && first !== 0x61) found.add(first);
    }
  }
  return found;
}

/** A character map that makes X of one text: four bytes of size, a double array of one key, the replacements. */
function charsMap(key) {
  const units = new Uint32Array(256 * 8);
  let at = 0;
  let next = 256;
  const bytes = Buffer.from(key);
  bytes.forEach((byte, i) => {
    units[at] |= ((at === 0 && i === 0 ? next : at ^ next) << 10) >>> 0;
    at = next ^ byte;
    units[at] = byte | (i === bytes.length - 1 ? 1 << 8 : 0);
    next += 256;
  });
  units[at] = (units[at] | ((at ^ next) << 10)) >>> 0;
  const size = Buffer.alloc(4);
  size.writeUInt32LE(units.byteLength);
  return [...Buffer.concat([size, Buffer.from(units.buffer), Buffer.from('X\0')])];
}

/**
 * A cluster of less than six bytes is looked up as a whole, and its beginning is enough: what stands behind an "a" and
 * vanishes with it is in one cluster with it.
 */
function attaching() {
  const probe = tokenizers.precompiled(charsMap('a'));
  return new Set(codePoints.filter((point) => probe.normalizeString(`a${String.fromCodePoint(point)}`) === 'X'));
}

const segmenter = new Intl.Segmenter('en', { granularity: 'grapheme' });
const clusters = (text) => [...segmenter.segment(text)].length;

function prepending() {
  const candidates = codePoints.filter((point) => clusters(`${String.fromCodePoint(point)}a`) === 1);
  return new Set(
    candidates.filter((point) => {
      const char = String.fromCodePoint(point);
      return tokenizers.precompiled(charsMap(char)).normalizeString(`${char}a`) === 'X';
    }),
  );
}

const stripAccents = tokenizers.stripAccentsNormalizer();
const sets = {
  combining: new Set(codePoints.filter((point) => stripAccents.normalizeString(String.fromCodePoint(point)) === '')),
  letter: matching('\\p{L}'),
  number: matching('\\p{N}'),
  space: matching('\\s'),
  mark: matching('\\p{M}'),
  numeric: numeric(),
  attaches: attaching(),
  prepends: prepending(),
  control: new Set(
    codePoints.filter((point) => point === 13 || clusters(`${String.fromCodePoint(point)}\u0301`) === 2),
  ),
  pictographic: new Set(codePoints.filter((point) => /\p{Extended_Pictographic}/u.test(String.fromCodePoint(point)))),
};

const [nfc, nfd, nfkc, nfkd] = [
  tokenizers.nfcNormalizer(),
  tokenizers.nfdNormalizer(),
  tokenizers.nfkcNormalizer(),
  tokenizers.nfkdNormalizer(),
];
const isHangul = (point) => point >= 0xac00 && point <= 0xd7a3;
const compositions = [];
const compatibility = [];
const pool = [];
for (const point of codePoints) {
  if (isHangul(point)) continue;
  const text = String.fromCodePoint(point);
  const decomposed = nfd.normalizeString(text);
  const compatible = nfkd.normalizeString(text);
  if (compatible !== decomposed) {
    const parts = points(compatible);
    compatibility.push([point, pool.length, parts.length]);
    pool.push(...parts);
  }
  if (decomposed === text || nfc.normalizeString(text) !== text) continue;
  const parts = points(decomposed);
  const second = parts.pop();
  const first = points(nfc.normalizeString(String.fromCodePoint(...parts)));
  if (first.length !== 1) throw new Error(`no pair composes to ${point.toString(16)}`);
  compositions.push([first[0], second, point]);
}
compositions.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
const seconds = new Set(compositions.map(([, second]) => second));
for (let point = 0x1161; point <= 0x1175; point++) seconds.add(point);
for (let point = 0x11a8; point <= 0x11c2; point++) seconds.add(point);
const reorders = (text) =>
  nfd.normalizeString(`\u0345${text}`) !== `\u0345${nfd.normalizeString(text)}` ||
  nfd.normalizeString(`${text}\u0334`) !== `${nfd.normalizeString(text)}\u0334`;

const flagsOf = new Uint16Array(0x110000);
for (const point of codePoints) {
  const text = String.fromCodePoint(point);
  let flags = 0;
  for (const [name, set] of Object.entries(sets)) if (set.has(point)) flags |= bit[name];
  if (!seconds.has(point)) {
    if (nfc.normalizeString(text) === text && (isHangul(point) || !reorders(text))) flags |= bit.nfcInert;
    if (nfkc.normalizeString(text) === text && (isHangul(point) || !reorders(text))) flags |= bit.nfkcInert;
  }
  flagsOf[point] = flags;
}
flagsOf.fill(flagsOf[0xfffd], 0xd800, 0xe000);

const { index, blocks, count } = inBlocks(flagsOf);

/** An array of rows, and beside it how many they are. */
function table(type, name, rows) {
  const values = rows.map((row) => `{${row.join(', ')}}`);
  return `${array(type, name, values)}const size_t ${name}Size = ${values.length};\n`;
}

const source = `// Generated by scripts/generate-text-classes.mjs from tokenizers ${version}; do not edit.
#include "tokenizer/text_classes.hpp"

// clang-format off
namespace gteway::unicode::data {

${array('uint16_t', 'kClassIndex', index)}
${array('uint16_t', 'kClassBlocks', blocks)}
${table('Composition', 'kCompositions', compositions)}
${table('Compatibility', 'kCompatibility', compatibility)}
${array('char32_t', 'kCompatibilityPool', pool)}
}  // namespace gteway::unicode::data
`;
const target = fileURLToPath(new URL('../native/src/tokenizer/text_classes_data.cpp', import.meta.url));
writeFileSync(target, source);
console.log(
  `${target}: ${count} blocks, ${compositions.length} compositions, ${compatibility.length} compatibility decompositions, ` +
    Object.entries(sets)
      .map(([name, set]) => `${set.size} ${name}`)
      .join(', '),
);
