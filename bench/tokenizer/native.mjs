/** The tokenizer without JavaScript around it: builds native/bench/tokenizer.cpp and reads what it prints. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseTokenizerJson } from '../../dist/tokenizer/tokenizer-json.js';
import { buildNative } from '../measure/native-target.mjs';

/** @typedef {{ case: string, bytes: number, tokens: number, mbPerSecond: number, nsPerByte: number }} NativeResult */

/**
 * @param {string} modelDirectory
 * @param {string[]} texts
 * @param {('corpus' | 'hostile' | 'limited')[]} modes
 * @returns {NativeResult[][]} for each mode
 */
export function measureNative(modelDirectory, texts, modes) {
  const program = buildNative('gteway_tokenizer_bench');
  const directory = mkdtempSync(join(tmpdir(), 'gteway-tokenizer-bench-'));
  try {
    const config = join(directory, 'config');
    const corpus = join(directory, 'texts');
    writeFileSync(config, configRecords(readFileSync(join(modelDirectory, 'tokenizer.json'), 'utf8')));
    writeFileSync(corpus, Buffer.concat(texts.map(text)));
    return modes.map((mode) =>
      execFileSync(program, [config, corpus, mode], { encoding: 'utf8' })
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line)),
    );
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** @param {number} value */
function number(value) {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

/** @param {string} value */
function text(value) {
  const bytes = Buffer.from(value);
  return Buffer.concat([number(bytes.length), bytes]);
}

/** @param {string} json */
function configRecords(json) {
  const config = parseTokenizerJson(json);
  const flag = (/** @type {boolean} */ value) => number(value ? 1 : 0);
  return Buffer.concat([
    number(config.vocabularyTokens.length),
    ...config.vocabularyTokens.flatMap((token, i) => [text(token), number(config.vocabularyIds[i] ?? 0)]),
    text(config.unkToken),
    text(config.continuingSubwordPrefix),
    number(config.maxInputCharsPerWord),
    flag(config.cleanText),
    flag(config.handleChineseChars),
    flag(config.stripAccents),
    flag(config.lowercase),
    ...[config.prefixIds, config.suffixIds].flatMap((ids) => [number(ids.length), ...Array.from(ids, number)]),
    number(config.addedTokens.length),
    ...config.addedTokens.flatMap((token) => [
      text(token.content),
      number(token.id),
      flag(token.singleWord),
      flag(token.leftStrip),
      flag(token.rightStrip),
      flag(token.normalized),
      flag(token.special),
    ]),
  ]);
}
