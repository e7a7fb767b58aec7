import { describe, expect, test } from 'vitest';
import { GtewayError } from '../../lib/errors.js';
import { parseTokenizerJson } from '../../lib/tokenizer/tokenizer-json.js';
import { tokenizerJson } from '../fixtures/tokenizer-json.js';

const parse = (changes: Record<string, unknown> = {}) => parseTokenizerJson(tokenizerJson(changes));

/** The code, the message and the details of what `parse` throws. */
function failure(changes: Record<string, unknown> | string): GtewayError {
  try {
    parseTokenizerJson(typeof changes === 'string' ? changes : tokenizerJson(changes));
  } catch (error) {
    expect(error).toBeInstanceOf(GtewayError);
    return error as GtewayError;
  }
  throw new Error('nothing was thrown');
}

describe('tokenizer.json', () => {
  test('the parts of a BERT tokenizer', () => {
    expect(parse()).toMatchObject({
      vocabularyTokens: ['[UNK]', '[CLS]', '[SEP]', '[MASK]', 'run', '##ning', 'é'],
      vocabularyIds: Int32Array.of(0, 1, 2, 3, 4, 5, 6),
      unkToken: '[UNK]',
      continuingSubwordPrefix: '##',
      maxInputCharsPerWord: 100,
      cleanText: true,
      handleChineseChars: true,
      stripAccents: true,
      lowercase: true,
      prefixIds: Int32Array.of(1),
      suffixIds: Int32Array.of(2),
      addedTokens: [{ content: '[MASK]', id: 3 }],
    });
  });

  test('strip_accents follows lowercase where it is left open', () => {
    const normalizer = { type: 'BertNormalizer', clean_text: true, handle_chinese_chars: true };
    expect(parse({ normalizer: { ...normalizer, strip_accents: null, lowercase: false } }).stripAccents).toBe(false);
    expect(parse({ normalizer: { ...normalizer, lowercase: true } }).stripAccents).toBe(true);
    expect(parse({ normalizer: { ...normalizer, strip_accents: false, lowercase: true } }).stripAccents).toBe(false);
    expect(parse({ normalizer: { ...normalizer, strip_accents: true, lowercase: false } }).stripAccents).toBe(true);
  });

  test('no normalizer switches everything off', () => {
    expect(parse({ normalizer: null })).toMatchObject({
      cleanText: false,
      handleChineseChars: false,
      stripAccents: false,
      lowercase: false,
    });
  });

  test('BertProcessing, and no post-processor at all', () => {
    const bert = parse({ post_processor: { type: 'BertProcessing', sep: ['[SEP]', 2], cls: ['[CLS]', 1] } });
    expect([bert.prefixIds, bert.suffixIds]).toEqual([Int32Array.of(1), Int32Array.of(2)]);
    const none = parse({ post_processor: null });
    expect([none.prefixIds.length, none.suffixIds.length]).toEqual([0, 0]);
  });

  test('pairs: by BertProcessing, RobertaProcessing, a template, and where nothing adds tokens', () => {
    const pair = (changes: Record<string, unknown>) => {
      const { pairIds, pairTypeIds } = parse({ post_processor: changes.type === undefined ? null : changes });
      return [[...pairIds], [...pairTypeIds]];
    };
    const words = { sep: ['[SEP]', 2], cls: ['[CLS]', 1] };
    expect(pair({ type: 'BertProcessing', ...words })).toEqual([
      [1, -1, 2, -2, 2],
      [0, 0, 0, 1, 1],
    ]);
    const roberta = { type: 'RobertaProcessing', ...words, trim_offsets: true, add_prefix_space: false };
    expect(pair(roberta)).toEqual([
      [1, -1, 2, 2, -2, 2],
      [0, 0, 0, 0, 0, 0],
    ]);
    expect(pair({})).toEqual([
      [-1, -2],
      [0, 1],
    ]);
    const sequence = (...processors: unknown[]) => pair({ type: 'Sequence', processors });
    expect(sequence({ type: 'ByteLevel' }, roberta)).toEqual(pair(roberta));
    expect(sequence({ type: 'ByteLevel' })).toEqual(pair({}));
    const token = (id: string, type: number) => ({ SpecialToken: { id, type_id: type } });
    const sequenceOf = (id: string, type: number) => ({ Sequence: { id, type_id: type } });
    const template = (pieces: unknown[]) =>
      pair({
        type: 'TemplateProcessing',
        single: [sequenceOf('A', 0)],
        pair: pieces,
        special_tokens: { x: { id: 'x', ids: [1, 3], tokens: ['[CLS]', '[MASK]'] } },
      });
    expect(template([sequenceOf('A', 2), token('x', 3), sequenceOf('B', 1)])).toEqual([
      [-1, 1, 3, -2],
      [2, 3, 3, 1],
    ]);
    // Of no use for pairs, and no reason to refuse single texts.
    for (const pieces of [
      [],
      [sequenceOf('A', 0)],
      [sequenceOf('B', 0), sequenceOf('A', 0)],
      [sequenceOf('A', 0), sequenceOf('B', 0), sequenceOf('A', 0)],
    ])
      expect(template(pieces)).toEqual([[], []]);
  });

  test('a special token of a template may be several ids', () => {
    const { prefixIds, suffixIds } = parse({
      post_processor: {
        type: 'TemplateProcessing',
        single: [{ SpecialToken: { id: 'x', type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }],
        pair: [],
        special_tokens: { x: { id: 'x', ids: [1, 3], tokens: ['[CLS]', '[MASK]'] } },
      },
    });
    expect([prefixIds, suffixIds]).toEqual([Int32Array.of(1, 3), new Int32Array()]);
  });

  test('old files name no model type', () => {
    const { model } = JSON.parse(tokenizerJson()) as { model: Record<string, unknown> };
    delete model.type;
    expect(parse({ model }).vocabularyTokens.length).toBe(7);
  });

  test('ids of added tokens are the vocabulary’s or count on from its size; one token an id, the last', () => {
    const token = (content: string, id: number, special = false) => ({
      content,
      id,
      special,
      single_word: special,
      lstrip: false,
      rstrip: false,
      normalized: false,
    });
    const { addedTokens } = parse({
      added_tokens: [token('new', 99), token('run', 50), token('other', 99), token('new', 1, true), token('', 7)],
    });
    expect(addedTokens.map(({ content, id, singleWord }) => [content, id, singleWord])).toEqual([
      ['new', 7, true],
      ['run', 4, false],
      ['other', 8, false],
    ]);
  });

  test.each([
    ['model', { model: { type: 'WordLevel', vocab: {} } }, 'WordLevel'],
    ['model', { model: { type: 'BPE', vocab: {}, merges: [], dropout: 0.1 } }, 'BPE with dropout'],
    ['model', { model: { type: 'Unigram', vocab: [] } }, 'Unigram without unk_id'],
    ['model', { model: {} }, 'without a known type'],
    ['normalizer', { normalizer: { type: 'ByteLevel' } }, 'ByteLevel'],
    ['normalizer', { normalizer: { type: 'Sequence', normalizers: [{ type: 'Magic' }] } }, 'Magic'],
    [
      'normalizer',
      { normalizer: { type: 'Replace', pattern: { Regex: '(a|b)+' }, content: '' } },
      'Replace of the pattern "(a|b)+"',
    ],
    ['pre_tokenizer', { pre_tokenizer: { type: 'UnicodeScripts' } }, 'UnicodeScripts'],
    [
      'pre_tokenizer',
      { pre_tokenizer: { type: 'Split', pattern: { Regex: '\\p{Han}+' }, behavior: 'Isolated', invert: false } },
      'Split at the pattern "\\\\p{Han}+"',
    ],
    ['post_processor', { post_processor: { type: 'Magic' } }, 'Magic'],
    [
      'post_processor',
      {
        post_processor: {
          type: 'Sequence',
          processors: [1, 2].map((id) => ({ type: 'BertProcessing', sep: ['a', id], cls: ['b', id] })),
        },
      },
      'Sequence of several that add tokens',
    ],
    ['version', { version: '2.0' }, '2.0'],
  ])('an unsupported %s is named: %j', (stage, changes, type) => {
    const error = failure(changes);
    expect(error.code).toBe('ERR_TOKENIZER_UNSUPPORTED');
    expect(error.message).toContain(`the ${stage} is`);
    expect(error.message).toContain(type);
  });

  test.each([
    ['{', 'is not JSON'],
    ['null', 'the file is null; expected an object'],
    [{ model: null }, 'model is null; expected an object'],
    [{ model: { type: 'WordPiece', unk_token: 'x', vocab: { a: -1 } } }, 'model.vocab["a"] is -1'],
    [{ model: { type: 'WordPiece', unk_token: 'x', vocab: { a: 1.5 } } }, 'model.vocab["a"] is 1.5'],
    [{ model: { type: 'WordPiece', unk_token: 'x', vocab: { a: 2 ** 31 } } }, 'ids end at 2147483647'],
    [{ model: { type: 'WordPiece', unk_token: 'x', vocab: { a: 1 } } }, 'model.unk_token is "x", which is not in'],
    [{ model: { type: 'WordPiece', vocab: { a: 1 } } }, 'model.unk_token is missing'],
    [{ model: { type: 'BPE', vocab: { a: 0 }, merges: ['a'] } }, 'model.merges[0] is "a", not two tokens'],
    [{ model: { type: 'BPE', vocab: { a: 0 }, merges: [['a', 'a']] } }, 'is of "aa", which is not in the vocabulary'],
    [{ model: { type: 'Unigram', vocab: [['a', 0]], unk_id: 1 } }, 'model.unk_id is 1, beyond the vocabulary of 1'],
    [{ normalizer: { type: 'BertNormalizer', lowercase: 'yes' } }, 'normalizer.lowercase is "yes"'],
    [{ added_tokens: [{ id: 1, content: 'X' }] }, 'added_tokens[0].single_word is missing'],
    [{ added_tokens: {} }, 'added_tokens is {}; expected an array'],
    [{ post_processor: { type: 'BertProcessing', sep: ['x', 1], cls: [1] } }, 'post_processor.cls is [1]'],
    [
      { post_processor: { type: 'TemplateProcessing', single: [{ SpecialToken: { id: 'q' } }] } },
      'special token "q", which post_processor.special_tokens lacks',
    ],
    [{ post_processor: { type: 'TemplateProcessing', single: [] } }, 'a template without the text'],
    [
      { post_processor: { type: 'TemplateProcessing', single: [{ Sequence: { id: 'B' } }] } },
      'post_processor.single is a template with a second text',
    ],
    [
      { post_processor: { type: 'TemplateProcessing', single: [{ Sequence: { id: 'C' } }] } },
      'post_processor.single[0].Sequence.id is "C"',
    ],
  ])('what is malformed is said, and where: %j', (changes, message) => {
    const error = failure(changes);
    expect(error.code).toBe('ERR_TOKENIZER_INVALID');
    expect(error.message).toContain('tokenizer.json');
    expect(error.message).toContain(message);
  });
});
