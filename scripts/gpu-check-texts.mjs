#!/usr/bin/env node
// Texts of exactly 16, 64, 128 and 512 tokens, and the mixed corpus, for scripts/gpu-check.sh.
//
//   gpu-check-texts.mjs SHARED OUT
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const [shared, output] = process.argv.slice(2);
const vocabulary = readFileSync(join(shared, 'models', 'gte-small', 'vocab.txt'), 'utf8').split('\n');
const words = vocabulary.filter((word) => /^[a-z]{3,}$/.test(word)); // each is one token

let state = 12345;
const next = () => (state = (Math.imul(state, 1103515245) + 12345) >>> 0) >>> 8;
const tokensOfEach = 1 << 18;
const texts = {};
for (const length of [16, 64, 128, 512]) {
  texts[length] = Array.from({ length: tokensOfEach / length }, () =>
    Array.from({ length: length - 2 }, () => words[next() % words.length]).join(' '),
  );
}
texts.mixed = JSON.parse(readFileSync(join(shared, 'corpus', 'mixed.json'), 'utf8'));
writeFileSync(output, JSON.stringify(texts));
