/** `gteway tokenize`: the library's ids, and counts of files that are never held in memory. */
import { writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, inject, test } from 'vitest';
import { countTokens, cutPattern } from '../../lib/cli/token-count.js';
import { Tokenizer } from '../../lib/index.js';
import { parseTokenizerJson } from '../../lib/tokenizer/tokenizer-json.js';
import { buildLibrary } from '../built-library.js';
import { cli, peakMegabytes, runCli, temporaryDirectory } from './run-cli.js';

const tokenize = ['tokenize', '--model', 'fixture'];
let tokenizer: Tokenizer;

beforeAll(async () => {
  await buildLibrary();
  tokenizer = await Tokenizer.load(inject('fixture'));
});

describe('ids and tokens', () => {
  test('a line of ids for each text', async () => {
    const { stdout } = await cli([...tokenize, 'Hello world', '']);
    const rows = stdout.trimEnd().split('\n');
    expect(rows.map((row) => JSON.parse(row) as unknown)).toEqual(
      ['Hello world', ''].map((text) => Array.from(tokenizer.encode(text).ids)),
    );
  });

  test('--tokens spells them, --no-special-tokens leaves the model’s own out', async () => {
    const { stdout } = await cli([...tokenize, '--tokens', '--no-special-tokens'], { input: 'Unaffordable!\n' });
    expect(stdout).toBe(`${JSON.stringify(tokenizer.tokens('Unaffordable!', { addSpecialTokens: false }))}\n`);
    expect(stdout).not.toContain('[CLS]');
  });

  test('what the model would not see is cut, and told', async () => {
    const { stdout, stderr } = await cli(tokenize, { input: 'word '.repeat(1000) });
    expect(JSON.parse(stdout)).toHaveLength(512);
    expect(stderr).toContain('1 of 1 texts had more than 512 tokens');
    expect(JSON.parse((await cli([...tokenize, '--max-tokens', '5', 'a b c d e f'])).stdout)).toHaveLength(5);
  });

  test('misuse', async () => {
    for (const [args, message] of [
      [['--count', '--tokens', 'a'], '--count and --tokens exclude each other'],
      [['--count', '--max-tokens', '4', 'a'], '--count counts everything'],
      [['--max-tokens', '1', 'a'], '--max-tokens 1 has no room for the 2 special tokens'],
    ] as const) {
      const { code, stderr } = await runCli([...tokenize, ...args]);
      expect([code, stderr]).toEqual([2, expect.stringContaining(message)]);
    }
  });
});

describe('--count', () => {
  const count = (text: string): number => tokenizer.count(text, { addSpecialTokens: false });

  test('of arguments is one number each', async () => {
    const { stdout } = await cli([...tokenize, '--count', 'Hello world', 'unaffordable', '']);
    expect(stdout).toBe(`${count('Hello world')}\n${count('unaffordable')}\n0\n`);
    expect((await cli([...tokenize, '--count', '--special-tokens', ''])).stdout).toBe('2\n');
  });

  test('of a file is that of the whole file as one text; of JSON lines that of their texts', async () => {
    const directory = temporaryDirectory();
    const text = 'Two lines,\r\nand a third: [MASK] naïve 東京\n\n'.repeat(500);
    writeFileSync(join(directory, 'a.txt'), text);
    expect((await cli([...tokenize, '--count', '-f', join(directory, 'a.txt')])).stdout).toBe(`${count(text)}\n`);
    expect((await cli([...tokenize, '--count', '--special-tokens'], { input: text })).stdout).toBe(
      `${count(text) + 2}\n`,
    );
    writeFileSync(join(directory, 'a.jsonl'), '{"text":"Hello world"}\n"unaffordable"\n');
    expect((await cli([...tokenize, '--count', '-f', join(directory, 'a.jsonl')])).stdout).toBe(
      `${count('Hello world') + count('unaffordable')}\n`,
    );
    expect((await cli([...tokenize, '--count'], { input: '' })).stdout).toBe('0\n');
  });

  test('megabytes on one line, in constant memory', async () => {
    const sentence = 'The quick brown fox, naïve as ever, jumps over 東京 and [MASK]. ';
    const lineOf = (bytes: number): Buffer =>
      Buffer.from(sentence.repeat(Math.ceil(bytes / Buffer.byteLength(sentence))));
    const large = lineOf(112e6);
    const { stdout } = await cli([...tokenize, '--count'], { input: large });
    expect(Number(stdout)).toBe(count(sentence) * (large.length / Buffer.byteLength(sentence)));
    const growth =
      (await peakMegabytes([...tokenize, '--count'], large)) -
      (await peakMegabytes([...tokenize, '--count'], lineOf(12e6)));
    // 100 MB more of input would be as much again as a buffer, twice that as a string. What grows is what the collector
    // leaves for later, up to 45 MB with Node.js 24.
    expect(growth).toBeLessThan(80);
  });
});

/** Deterministic numbers below 2^32 (Marsaglia's xorshift32). */
function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>>= 0);
  };
}

async function* inChunks(bytes: Buffer, random: () => number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length;) {
    const size = 1 + (random() % 60);
    yield await Promise.resolve(bytes.subarray(at, at + size));
    at += size;
  }
}

describe('counting in pieces', () => {
  const parts = [
    ...['[MASK]', '[', 'MASK', ']', '[SEP]', 'new york', 'york', '<x>', 'affordable', 'é', 'e\u0301', '\u0301'],
    ...[
      'Σ',
      'İ',
      '東',
      '京',
      '、',
      '。',
      '\u3099',
      '가',
      '😀',
      '_',
      '-',
      '.',
      '=\u0338',
      ' ',
      '\t',
      '\n',
      '\r\n',
      '\u00a0',
    ],
    ...['\u200b', '_<x>', '_<x>', '東<x>', '東<x>', '\0', '\ufeff', 'a'.repeat(99), 'b'.repeat(101), '1', ','],
  ];

  async function tokenizerWith(
    change: (json: TokenizerJson) => void,
  ): Promise<{ tokenizer: Tokenizer; pattern: RegExp }> {
    const json = JSON.parse(await readFile(join(inject('fixture'), 'tokenizer.json'), 'utf8')) as TokenizerJson;
    change(json);
    const tokenizerJson = JSON.stringify(json);
    return {
      tokenizer: Tokenizer.fromFiles({ tokenizerJson }),
      pattern: cutPattern(parseTokenizerJson(tokenizerJson)),
    };
  }

  interface TokenizerJson {
    normalizer: Record<string, unknown>;
    added_tokens: Record<string, unknown>[];
    model: { vocab: Record<string, number> };
  }
  const added = (json: TokenizerJson, content: string, more: Record<string, unknown>): void => {
    const id = json.added_tokens.length + Object.keys(json.model.vocab).length;
    const plain = { single_word: false, lstrip: false, rstrip: false, normalized: true, special: false };
    json.added_tokens.push({ id, content, ...plain, ...more });
  };

  const kinds: [string, (json: TokenizerJson) => void][] = [
    ['the fixture', () => undefined],
    [
      'cased, accents kept, ideographs not split',
      (json) => {
        Object.assign(json.normalizer, { lowercase: false, strip_accents: false, handle_chinese_chars: false });
      },
    ],
    ['an added token with a blank', (json) => added(json, 'new york', {})],
    [
      'an added token that is a word of its own',
      (json) => added(json, '<x>', { single_word: true, normalized: false }),
    ],
    [
      'an added token that takes blanks with it',
      (json) => added(json, '<x>', { lstrip: true, rstrip: true, normalized: false }),
    ],
    ['an added token of ideographs and marks', (json) => added(json, '東。', {})],
  ];

  for (const [name, change] of kinds) {
    test(`${name}: the sum is the count of the whole`, async () => {
      const { tokenizer: changed, pattern } = await tokenizerWith(change);
      const random = randomNumbers(7);
      for (let round = 0; round < 300; round++) {
        const text = Array.from({ length: 40 }, () => parts[random() % parts.length] ?? '').join('');
        const whole = changed.count(new TextDecoder().decode(Buffer.from(text)), { addSpecialTokens: false });
        const pieces = await countTokens(inChunks(Buffer.from(text), random), changed, pattern, 'text', 20);
        expect(pieces, JSON.stringify(text)).toBe(whole);
      }
    });
  }

  test('pieces are really cut', async () => {
    const { pattern } = await tokenizerWith(() => undefined);
    for (const character of ' \n,。東_') expect(pattern.test(character), character).toBe(true);
    for (const character of 'aé[]가') expect(pattern.test(character), character).toBe(false);
  });
});
