import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { toUSVString } from 'node:util';
import { afterAll, describe, expect, test } from 'vitest';
import { Tokenizer } from '../../lib/index.js';
import { binding } from '../../lib/native/binding.js';
import { tokenizerJson } from '../fixtures/tokenizer-json.js';

const tokenizer = Tokenizer.fromFiles({ tokenizerJson: tokenizerJson() });
const cased = Tokenizer.fromFiles({ tokenizerJson: tokenizerJson({ normalizer: null }) });

describe('encode', () => {
  test('ids between the special tokens, without them on request', () => {
    expect(tokenizer.encode('Running [MASK] run')).toEqual({ ids: Int32Array.of(1, 4, 5, 3, 4, 2), truncated: false });
    expect(tokenizer.encode('run', { addSpecialTokens: false })).toEqual({ ids: Int32Array.of(4), truncated: false });
    expect(tokenizer.encode('')).toEqual({ ids: Int32Array.of(1, 2), truncated: false });
  });

  test('the file’s padding and truncation are ignored; the limit is the model’s', () => {
    expect(tokenizer.maxTokens).toBe(512);
    expect(tokenizer.encode('run '.repeat(100)).ids.length).toBe(102);
    const { ids, truncated } = tokenizer.encode('run '.repeat(600));
    expect([ids.length, ids[510], ids[511], truncated]).toEqual([512, 4, 2, true]);
    expect(tokenizer.encode('run '.repeat(510)).truncated).toBe(false);
    expect(tokenizer.encode('run '.repeat(510) + 'é').truncated).toBe(true);
    expect(tokenizer.encode('run '.repeat(510) + ' \t\u0301 '.repeat(10_000)).truncated).toBe(false);
  });

  test('a limit of the call’s own', () => {
    expect(tokenizer.encode('run run run', { maxTokens: 4 })).toEqual({
      ids: Int32Array.of(1, 4, 4, 2),
      truncated: true,
    });
    expect(tokenizer.encode('run '.repeat(600), { maxTokens: Infinity }).ids.length).toBe(602);
    expect(tokenizer.encode('run run', { maxTokens: 1, addSpecialTokens: false }).ids).toEqual(Int32Array.of(4));
  });

  test('a lone surrogate counts as U+FFFD', () => {
    for (const text of ['run\ud800', '\udc00run', 'ru\udfffn', 'run \ud83d \ude00']) {
      expect(tokenizer.encode(text)).toEqual(tokenizer.encode(toUSVString(text)));
      expect(cased.encode(text)).toEqual(cased.encode(toUSVString(text)));
    }
    expect(cased.encode('run\ud800').ids).toEqual(Int32Array.of(1, 0, 2));
    expect(cased.encodeBatch(['run\ud83d', '\ude00run']).ids).toEqual(Int32Array.of(1, 0, 2, 1, 0, 2));
  });

  test('of a text far beyond the limit the beginning gives the same as the whole', () => {
    const words = ['run', 'running', 'é', 'x', '[MASK]', '中文', '\u{1f600}', 'a'.repeat(101), '\n', ','];
    let text = '';
    for (let i = 0; text.length < 300_000; i++) text += (words[(i * i + i) % words.length] ?? '') + (i % 3 ? ' ' : '');
    const all = tokenizer.encode(text, { maxTokens: Infinity }).ids;
    for (const maxTokens of [2, 3, 100, 511, 512, 5000, all.length - 1, all.length, all.length + 1]) {
      const { ids, truncated } = tokenizer.encode(text, { maxTokens });
      expect(truncated).toBe(maxTokens < all.length);
      expect(ids).toEqual(truncated ? Int32Array.of(...all.subarray(0, maxTokens - 1), 2) : all);
      expect(tokenizer.encodeBatch(['run', text], { maxTokens: Math.max(3, maxTokens) }).truncated[1]).toBe(
        Math.max(3, maxTokens) < all.length,
      );
    }
    const oneWord = 'a'.repeat(3_000_000);
    expect(tokenizer.encode(oneWord, { maxTokens: 3 })).toEqual({ ids: Int32Array.of(1, 0, 2), truncated: false });
    expect(tokenizer.encode(`${oneWord} run`, { maxTokens: 3 }).truncated).toBe(true);
  });
});

describe('encodeBatch', () => {
  test('is encode, text by text, whatever the strings are made of', () => {
    const texts = [
      '',
      'run',
      'é running',
      '\u00ff\u00e9',
      '中',
      'run\ud800',
      '\u{1f600}run',
      'x'.repeat(200_000),
      'a\0b',
    ];
    for (let i = 0; i < 200; i++) texts.push(`run ${i} `.repeat(i * 3) + (i % 50 === 0 ? '中' : ''));
    for (const each of [tokenizer, cased]) {
      const { ids, offsets, truncated } = each.encodeBatch(texts);
      expect(offsets.length).toBe(texts.length + 1);
      texts.forEach((text, i) => {
        const alone = each.encode(text);
        expect(ids.subarray(offsets[i], offsets[i + 1])).toEqual(alone.ids);
        expect(truncated[i]).toBe(alone.truncated);
      });
    }
  });

  test('of nothing is nothing', () => {
    expect(tokenizer.encodeBatch([])).toEqual({ ids: new Int32Array(), offsets: Uint32Array.of(0), truncated: [] });
  });
});

describe('count and tokens', () => {
  test('count is the length of encode without a limit', () => {
    expect(tokenizer.count('running run')).toBe(5);
    expect(tokenizer.count('running run', { addSpecialTokens: false })).toBe(3);
    expect(tokenizer.count('run '.repeat(10_000))).toBe(10_002);
  });

  test('counts add up over lines', () => {
    const text = 'running, [MASK]\n\nEt é\u0301 中文\nrun';
    const parts = text.split(/(?<=\n)/);
    const sum = parts.reduce((total, part) => total + tokenizer.count(part, { addSpecialTokens: false }), 0);
    expect(sum).toBe(tokenizer.count(text, { addSpecialTokens: false }));
  });

  test('tokens are the vocabulary’s', () => {
    expect(tokenizer.tokens('Running [MASK] ?')).toEqual(['[CLS]', 'run', '##ning', '[MASK]', '[UNK]', '[SEP]']);
    expect(tokenizer.tokens('run run', { maxTokens: 3 })).toEqual(['[CLS]', 'run', '[SEP]']);
  });
});

describe('encodePair', () => {
  const token = (id: string, type_id: number) => ({ SpecialToken: { id, type_id } });
  const pairs = Tokenizer.fromFiles({
    tokenizerJson: tokenizerJson({
      post_processor: {
        type: 'TemplateProcessing',
        single: [token('[CLS]', 0), { Sequence: { id: 'A', type_id: 0 } }, token('[SEP]', 0)],
        pair: [
          token('[CLS]', 0),
          { Sequence: { id: 'A', type_id: 0 } },
          token('[SEP]', 0),
          { Sequence: { id: 'B', type_id: 1 } },
          token('[SEP]', 1),
        ],
        special_tokens: {
          '[CLS]': { id: '[CLS]', ids: [1], tokens: ['[CLS]'] },
          '[SEP]': { id: '[SEP]', ids: [2], tokens: ['[SEP]'] },
        },
      },
    }),
  });
  const encoded = (first: string, second: string, options = {}) => {
    const { ids, typeIds, truncated } = pairs.encodePair(first, second, options);
    return [[...ids], [...typeIds], truncated];
  };

  test('both texts in the template, with their type ids', () => {
    expect(pairs.pairs).toBe(true);
    expect(encoded('run', 'é [MASK]')).toEqual([[1, 4, 2, 0, 3, 2], [0, 0, 0, 1, 1, 1], false]);
    expect(encoded('', '')).toEqual([[1, 2, 2], [0, 0, 1], false]);
    expect(encoded('run', 'running', { addSpecialTokens: false })).toEqual([[4, 4, 5], [0, 1, 1], false]);
  });

  test('a long pair loses the end of its second text, the first only where it leaves no room', () => {
    const at = (maxTokens: number) => encoded('run running', '[MASK] run run', { maxTokens });
    expect(at(9)).toEqual([[1, 4, 4, 5, 2, 3, 4, 4, 2], [0, 0, 0, 0, 0, 1, 1, 1, 1], false]);
    expect(at(8)).toEqual([[1, 4, 4, 5, 2, 3, 4, 2], [0, 0, 0, 0, 0, 1, 1, 1], true]);
    expect(at(6)).toEqual([[1, 4, 4, 5, 2, 2], [0, 0, 0, 0, 0, 1], true]);
    expect(at(4)).toEqual([[1, 4, 2, 2], [0, 0, 0, 1], true]);
    expect(at(3)).toEqual([[1, 2, 2], [0, 0, 1], true]);
    expect(encoded('run run', 'run', { maxTokens: 2, addSpecialTokens: false })).toEqual([[4, 4], [0, 0], true]);
    const [ids, , truncated] = encoded('run', 'run '.repeat(100_000));
    expect([(ids as number[]).length, truncated]).toEqual([512, true]);
  });

  test('a limit without room for the special tokens, no template, and no string are refused', () => {
    expect(() => encoded('a', 'b', { maxTokens: 2 })).toThrow('must be at least 3: the special tokens alone are 3');
    expect(() => encoded('a', 5 as never)).toThrow(TypeError);
    expect(() => encoded('a', 'b', { pad: true })).toThrow('unknown option "pad" of encodePair');
    expect(tokenizer.pairs).toBe(false);
    expect(() => tokenizer.encodePair('a', 'b')).toThrow(
      expect.objectContaining({ code: 'ERR_TOKENIZER_UNSUPPORTED' }),
    );
    expect(() => Tokenizer.nativeOf(tokenizer).encodePair('a', 'b', 5, true)).toThrow(
      expect.objectContaining({ code: 'ERR_TOKENIZER_UNSUPPORTED' }),
    );
  });
});

describe('misuse', () => {
  const wrong = (value: unknown) => value as never;

  test.each([
    ['text must be a string, not number', () => tokenizer.encode(wrong(5))],
    ['text must be a string, not an array', () => tokenizer.encode(wrong(['a']))],
    ['text must be a string, not undefined', () => tokenizer.count(wrong(undefined))],
    ['text must be a string, not null', () => tokenizer.tokens(wrong(null))],
    ['texts must be an array of strings, not string', () => tokenizer.encodeBatch(wrong('a'))],
    ['texts[1] must be a string, not an object', () => tokenizer.encodeBatch(wrong(['a', {}]))],
    ['unknown option "maxtokens"', () => tokenizer.encode('a', wrong({ maxtokens: 5 }))],
    [
      'maxTokens must be a whole number or Infinity, not string',
      () => tokenizer.encode('a', wrong({ maxTokens: '5' })),
    ],
    ['addSpecialTokens must be true or false, not number', () => tokenizer.encode('a', wrong({ addSpecialTokens: 1 }))],
    ['the options of encode must be an object, not null', () => tokenizer.encode('a', wrong(null))],
  ])('TypeError: %s', (message, call) => {
    expect(call).toThrow(TypeError);
    expect(call).toThrow(message);
  });

  test.each([
    ['but must be at least 2: the special tokens alone are 2', () => tokenizer.encode('a', { maxTokens: 1 })],
    ['but must be at least 1', () => tokenizer.encode('a', { maxTokens: 0, addSpecialTokens: false })],
    ['not 2.5', () => tokenizer.encode('a', { maxTokens: 2.5 })],
    ['not NaN', () => tokenizer.encodeBatch(['a'], { maxTokens: NaN })],
  ])('RangeError: %s', (message, call) => {
    expect(call).toThrow(RangeError);
    expect(call).toThrow(message);
  });

  test('the native side refuses what is not its own, and malformed data, without crashing', () => {
    const { NativeTokenizer } = binding();
    const native = Tokenizer.nativeOf(tokenizer);
    expect(() => new NativeTokenizer(wrong({}))).toThrow(expect.objectContaining({ code: 'ERR_INVALID_ARGUMENT' }));
    expect(() => new NativeTokenizer(wrong(5))).toThrow(expect.objectContaining({ code: 'ERR_INVALID_ARGUMENT' }));
    expect(() => native.encode(wrong(5), 5, true)).toThrow(expect.objectContaining({ code: 'ERR_INVALID_ARGUMENT' }));
    const batch = (...args: unknown[]) => native.encodeBatch(...(args as Parameters<typeof native.encodeBatch>));
    for (const args of [
      [],
      [['ab'], [true], Uint32Array.of(1), Uint32Array.of(3), 5, true],
      [['ab'], [true], Uint32Array.of(2), Uint32Array.of(2), 5, true],
      [[5], [true], Uint32Array.of(1), Uint32Array.of(2), 5, true],
      [['中'], [false], Uint32Array.of(1), Uint32Array.of(2), 5, true],
    ])
      expect(() => batch(...args)).toThrow(expect.objectContaining({ code: 'ERR_INVALID_ARGUMENT' }));
    const stranger = Object.create(Object.getPrototypeOf(native) as object) as typeof native;
    expect(() => stranger.encode('a', 5, true)).toThrow();
  });
});

describe('fromDirectory', () => {
  const directory = mkdtempSync(join(tmpdir(), 'gteway-tokenizer-'));
  afterAll(() => rmSync(directory, { recursive: true }));

  test('takes the limit from config.json, else from tokenizer_config.json, else 512', async () => {
    writeFileSync(join(directory, 'tokenizer.json'), tokenizerJson());
    expect((await Tokenizer.fromDirectory(directory)).maxTokens).toBe(512);
    writeFileSync(join(directory, 'tokenizer_config.json'), '{"model_max_length": 1e30}');
    expect((await Tokenizer.fromDirectory(directory)).maxTokens).toBe(512);
    writeFileSync(join(directory, 'tokenizer_config.json'), '{"model_max_length": 128}');
    expect((await Tokenizer.fromDirectory(directory)).maxTokens).toBe(128);
    writeFileSync(join(directory, 'config.json'), '{"max_position_embeddings": 64}');
    expect((await Tokenizer.fromDirectory(directory)).maxTokens).toBe(64);
    expect((await Tokenizer.fromDirectory(directory, { maxTokens: 16 })).maxTokens).toBe(16);
    const roberta = { model_type: 'xlm-roberta', max_position_embeddings: 514, pad_token_id: 1 };
    writeFileSync(join(directory, 'config.json'), JSON.stringify(roberta));
    expect((await Tokenizer.fromDirectory(directory)).maxTokens).toBe(512);
    writeFileSync(join(directory, 'config.json'), '{');
    await expect(Tokenizer.fromDirectory(directory)).rejects.toMatchObject({ code: 'ERR_TOKENIZER_INVALID' });
  });

  test('without a tokenizer.json says so', async () => {
    await expect(Tokenizer.fromDirectory(join(directory, 'nowhere'))).rejects.toMatchObject({
      code: 'ERR_MODEL_NOT_FOUND',
    });
    await expect(Tokenizer.fromDirectory(5 as never)).rejects.toThrow(TypeError);
  });
});
