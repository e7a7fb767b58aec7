#!/usr/bin/env node
// Writes seeds for native/fuzz/tokenizer_fuzz.cpp into a directory: inputs in the shape its Input reads.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const directory = process.argv[2];
if (directory === undefined) {
  console.error('usage: fuzz-tokenizer-seeds.mjs DIRECTORY');
  process.exit(2);
}
mkdirSync(directory, { recursive: true });

/** Words whole and as pieces; `shape` is the token's length, and 128 for a continuing piece. */
const vocabulary = ['un', 'run', 'a', 'b', 'ab', '中', 'é', 'e', ',', '['].map((token) => ({
  token,
  continuing: false,
}));
vocabulary.push(...['aff', 'able', 'ning', 'a', 'b', 'bc', '\u302e'].map((token) => ({ token, continuing: true })));
const tokens = vocabulary.flatMap(({ token, continuing }) => {
  const bytes = Buffer.from(token);
  return [Buffer.of(bytes.length | (continuing ? 128 : 0)), bytes];
});
const added = [
  { content: '[MASK]', rules: 128 },
  { content: 'ab', rules: 8 },
  { content: ' x', rules: 16 | 32 },
  { content: 'É', rules: 64 },
].map(({ content, rules }) => {
  const bytes = Buffer.from(content);
  return Buffer.concat([Buffer.of((rules & ~7) | ((bytes.length - 1) % 6)), bytes]);
});
const texts = [
  'Unaffable running, un[MASK]run',
  'É é e\u0301 한국어 中文 İSTANBUL ﬁ',
  'a'.repeat(99) + ' ' + 'a'.repeat(100) + ' ' + 'ab'.repeat(51),
  'a\u302e\u{1d165}\u0301b ' + '\u0301'.repeat(200),
  'ab abx xab [MASK][MASK]  x  x',
  '\u3000 \u00a0\t\r\n\u0000\u0001\u007f\u200b\ufeff',
  'run '.repeat(700),
].map((text) => Buffer.from(text));
texts.push(Buffer.from([0xff, 0x61, 0xe4, 0xb8, 0x20, 0xf0, 0x9f, 0x61, 0xed, 0xa0, 0x80, 0x62]));

let seed = 0;
for (let switches = 0; switches < 16; switches++)
  for (const text of texts)
    for (const count of [0, added.length])
      writeFileSync(
        join(directory, `seed-${seed++}`),
        Buffer.concat([
          Buffer.of(switches, vocabulary.length),
          ...tokens,
          Buffer.of(count),
          ...added.slice(0, count),
          Buffer.of(seed % 256),
          text,
        ]),
      );
