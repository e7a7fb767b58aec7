/** Places of tokens in bytes, as Hugging Face tokenizers 0.23 gives them for gte-small's tokenizer. */
import { describe, expect, test } from 'vitest';
import { TokenSpans } from '../../lib/server/token-spans.js';

const uncased = {
  bert: true,
  cleanText: true,
  handleChineseChars: true,
  stripAccents: true,
  lowercase: true,
  continuingSubwordPrefix: '##',
  unkToken: '[UNK]',
  addedTokens: [{ content: '[UNK]' }, { content: '[MASK]' }],
};

/** Of each token: its spelling in the vocabulary, where it begins, and what of the text it stands for. */
const cases: [name: string, text: string, tokens: [string, number, string][]][] = [
  [
    'words and pieces',
    'Playing!',
    [
      ['play', 0, 'Play'],
      ['##ing', 4, 'ing'],
      ['!', 7, '!'],
    ],
  ],
  [
    'spaces',
    '  two\twords ',
    [
      ['two', 2, 'two'],
      ['words', 6, 'words'],
    ],
  ],
  [
    'accents',
    'Crème brûlée',
    [
      ['cr', 0, 'Cr'],
      ['##eme', 2, 'ème'],
      ['br', 7, 'br'],
      ['##ule', 9, 'ûlé'],
      ['##e', 14, 'e'],
    ],
  ],
  [
    'marks of their own',
    'e\u0301te\u0301',
    [
      ['et', 0, 'e\u0301t'],
      ['##e', 4, 'e'],
    ],
  ],
  [
    'Chinese',
    '東京 tower',
    [
      ['東', 0, '東'],
      ['京', 3, '京'],
      ['tower', 7, 'tower'],
    ],
  ],
  [
    'what one character decomposes to',
    '한',
    [
      ['ᄒ', 0, '한'],
      ['##ᅡ', 0, '한'],
      ['##ᆫ', 0, '한'],
    ],
  ],
  [
    'added tokens',
    'a [MASK] b [UNK]',
    [
      ['a', 0, 'a'],
      ['[MASK]', 2, '[MASK]'],
      ['b', 9, 'b'],
      ['[UNK]', 11, '[UNK]'],
    ],
  ],
  [
    'removed characters',
    'zero\u200bwidth\0 nul',
    [
      ['zero', 0, 'zero'],
      ['##wi', 7, 'wi'],
      ['##dt', 9, 'dt'],
      ['##h', 11, 'h'],
      ['nu', 14, 'nu'],
      ['##l', 16, 'l'],
    ],
  ],
  ['a letter that is longer in lower case', 'İstanbul', [['istanbul', 0, 'İstanbul']]],
  [
    'unknown words',
    `${'x'.repeat(101)} 🙂🙂, y`,
    [
      ['[UNK]', 0, 'x'.repeat(101)],
      ['[UNK]', 102, '🙂🙂'],
      [',', 110, ','],
      ['y', 112, 'y'],
    ],
  ],
  [
    'the prefix of pieces, spelled',
    '##ing ##',
    [
      ['#', 0, '#'],
      ['#', 1, '#'],
      ['ing', 2, 'ing'],
      ['#', 6, '#'],
      ['#', 7, '#'],
    ],
  ],
  [
    'punctuation',
    'don’t—stop',
    [
      ['don', 0, 'don'],
      ['’', 3, '’'],
      ['t', 6, 't'],
      ['—', 7, '—'],
      ['stop', 10, 'stop'],
    ],
  ],
  ['half a surrogate pair', '\ud800! \ufffd', [['!', 3, '!']]],
];

describe('spans of tokens', () => {
  test.each(cases)('%s', (_, text, tokens) => {
    const spans = new TokenSpans(uncased).of(
      text,
      tokens.map(([token]) => token),
    );
    const bytes = Buffer.from(text);
    expect(spans.map((span) => span && [span.start, bytes.toString('utf8', span.start, span.stop)])).toEqual(
      tokens.map(([, start, source]) => [start, source]),
    );
  });

  test('a cased tokenizer keeps case and accents', () => {
    const cased = { ...uncased, lowercase: false, stripAccents: false };
    expect(new TokenSpans(cased).of('Été', ['É', '##té'])).toEqual([
      { start: 0, stop: 2 },
      { start: 2, stop: 5 },
    ]);
  });

  test('from a token on that the text does not spell, there are none', () => {
    expect(new TokenSpans(uncased).of('one two three', ['one', 'too', 'three'])).toEqual([
      { start: 0, stop: 3 },
      undefined,
      undefined,
    ]);
  });
});
