/** The golden files beside the repository: what Hugging Face tokenizers 0.23.2 gives, id for id. */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, test } from 'vitest';
import { Tokenizer } from '../../lib/index.js';

const shared = (path: string) => fileURLToPath(new URL(`../../../shared/${path}`, import.meta.url));
const model = shared('models/gte-small');
const encodings = shared('golden/gte_small_encodings.jsonl');
const codePoints = shared('golden/bert_codepoints.tsv');

describe('golden encodings of gte-small', () => {
  let tokenizer: Tokenizer;
  let golden: { text: string; ids: number[] }[] = [];
  beforeAll(async () => {
    if (!existsSync(encodings)) return;
    tokenizer = await Tokenizer.fromDirectory(model);
    golden = readFileSync(encodings, 'utf8')
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as { text: string; ids: number[] });
  });

  test('every text has the same ids, alone', (context) => {
    if (!existsSync(encodings)) context.skip('../shared/golden/gte_small_encodings.jsonl is not there');
    expect(golden.length).toBe(3039);
    for (const { text, ids } of golden) {
      const encoding = tokenizer.encode(text, { maxTokens: Infinity });
      if (
        encoding.truncated ||
        Buffer.compare(Buffer.from(encoding.ids.buffer), Buffer.from(Int32Array.from(ids).buffer))
      )
        expect({ text, ids: [...encoding.ids] }).toEqual({ text, ids });
    }
  });

  test('every text has the same ids in one batch, and the same count', (context) => {
    if (!existsSync(encodings)) context.skip('../shared/golden/gte_small_encodings.jsonl is not there');
    const batch = tokenizer.encodeBatch(
      golden.map(({ text }) => text),
      { maxTokens: Infinity },
    );
    expect(batch.offsets.length).toBe(golden.length + 1);
    golden.forEach(({ text, ids }, i) => {
      expect([...batch.ids.subarray(batch.offsets[i], batch.offsets[i + 1])]).toEqual(ids);
      expect(tokenizer.count(text)).toBe(ids.length);
    });
    expect(batch.truncated).toEqual(golden.map(() => false));
  });

  test('at the limit of 512, ids are the first 511 and the closing one, and only longer texts are called truncated', (context) => {
    if (!existsSync(encodings)) context.skip('../shared/golden/gte_small_encodings.jsonl is not there');
    expect(tokenizer.maxTokens).toBe(512);
    for (const { text, ids } of golden) {
      const { ids: cut, truncated } = tokenizer.encode(text);
      expect(truncated).toBe(ids.length > 512);
      expect([...cut]).toEqual(truncated ? [...ids.slice(0, 511), 102] : ids);
    }
  });
});

describe('golden code points', () => {
  const forms = [
    { name: 'uncased', lowercase: true, column: 1 },
    { name: 'cased', lowercase: false, column: 2 },
  ] as const;

  for (const { name, lowercase, column } of forms) {
    // Every character a token of its own, so that ids spell the normalized text out.
    test(`${name}: each code point between two letters becomes what it should`, (context) => {
      if (!existsSync(codePoints)) context.skip('../shared/golden/bert_codepoints.tsv is not there');
      const rows = new Map<number, { forms: readonly string[]; kind: string }>();
      for (const line of readFileSync(codePoints, 'utf8').split('\n')) {
        if (line === '' || line.startsWith('#')) continue;
        const [point = '', uncased = '', cased = '', kind = ''] = line.split('\t');
        rows.set(parseInt(point, 16), { forms: ['', uncased, cased], kind });
      }
      expect(rows.size).toBeGreaterThan(230_000);

      const vocab: Record<string, number> = { '?': 0 };
      const all = Array.from({ length: 0x110000 }, (_, point) => point).filter((p) => p < 0xd800 || p > 0xdfff);
      for (const point of all) {
        vocab[String.fromCodePoint(point)] = point + 1;
        vocab[`##${String.fromCodePoint(point)}`] = point + 0x110001;
      }
      const tokenizer = Tokenizer.fromFiles({
        tokenizerJson: JSON.stringify({
          version: '1.0',
          added_tokens: [],
          normalizer: {
            type: 'BertNormalizer',
            clean_text: true,
            handle_chinese_chars: true,
            strip_accents: null,
            lowercase,
          },
          pre_tokenizer: { type: 'BertPreTokenizer' },
          post_processor: null,
          model: {
            type: 'WordPiece',
            unk_token: '?',
            continuing_subword_prefix: '##',
            max_input_chars_per_word: 100,
            vocab,
          },
        }),
      });
      const kindOf = (point: number) => rows.get(point)?.kind ?? 'o';
      const batch = tokenizer.encodeBatch(all.map((point) => `a${String.fromCodePoint(point)}a`));
      let wrong = 0;
      all.forEach((point, i) => {
        const row = rows.get(point);
        const form =
          row === undefined
            ? [point]
            : (row.forms[column] ?? '')
                .split(' ')
                .filter(Boolean)
                .map((hex) => parseInt(hex, 16));
        // The pre-tokenizer by its definition: white space parts, punctuation stands alone.
        const expected: number[] = [];
        let inWord = false;
        for (const each of [0x61, ...form, 0x61]) {
          const kind = kindOf(each);
          if (kind === 'w') inWord = false;
          else if (kind === 'p') {
            expected.push(each + 1);
            inWord = false;
          } else {
            expected.push(each + (inWord ? 0x110001 : 1));
            inWord = true;
          }
        }
        const actual = [...batch.ids.subarray(batch.offsets[i], batch.offsets[i + 1])];
        if (actual.join() !== expected.join() && ++wrong <= 5)
          expect({ point: point.toString(16), actual }).toEqual({ point: point.toString(16), actual: expected });
      });
      expect(wrong).toBe(0);
    });
  }
});
