import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, inject, test } from 'vitest';
import { chunk, type Chunk, type ChunkBy, type ChunkOptions, Tokenizer } from '../../lib/index.js';
import { tokenizerJson } from '../fixtures/tokenizer-json.js';
import { hostileText, randomFrom } from './hostile-text.js';

let fixture: Tokenizer;
beforeAll(async () => {
  fixture = await Tokenizer.fromDirectory(inject('fixture'));
});

/** Each character a token but for a few words, accents kept. */
const small = Tokenizer.fromFiles({
  tokenizerJson: tokenizerJson({
    normalizer: {
      type: 'BertNormalizer',
      clean_text: false,
      handle_chinese_chars: true,
      strip_accents: false,
      lowercase: false,
    },
  }),
});

const graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' });
const ways: readonly ChunkBy[] = ['paragraph', 'sentence', 'word', 'markdown', 'code'];

/** Everything that is promised of any text. */
function expectPromises(tokenizer: Tokenizer, text: string, options: ChunkOptions): void {
  const { maxTokens = tokenizer.maxTokens, overlap = 0 } = options;
  const special = tokenizer.count('');
  const chunks = tokenizer.chunk(text, options);
  // Iterating would copy the whole text for each grapheme.
  const segments = graphemes.segment(text);
  let covered = 0;
  const fail = (what: string, { start, end, tokens }: Chunk): never => {
    throw new Error(`${what}: ${JSON.stringify({ options, start, end, tokens, text: text.slice(0, 5000) })}`);
  };
  for (const [i, part] of chunks.entries()) {
    if (part.text !== text.slice(part.start, part.end)) fail('not the slice', part);
    if (part.end <= covered) fail('nothing new', part);
    if (part.start > covered || (overlap === 0 && part.start !== covered)) fail('a gap', part);
    if (i > 0 && part.start <= (chunks[i - 1]?.start ?? -1)) fail('not in order', part);
    if (part.tokens !== tokenizer.count(part.text)) fail('tokens', part);
    if (part.tokens > maxTokens) fail(`more than ${maxTokens} tokens`, part);
    const repeated = tokenizer.count(text.slice(part.start, covered)) - special;
    if (part.start < covered && repeated > overlap) fail(`repeats ${repeated} tokens`, part);
    for (const at of [part.start, part.end]) {
      const cut = segments.containing(at);
      // Only a grapheme that cannot be kept whole is cut.
      if (cut !== undefined && cut.index !== at && tokenizer.count(cut.segment) <= maxTokens)
        fail(`cut within ${JSON.stringify(cut.segment)}`, part);
    }
    covered = part.end;
  }
  expect(covered).toBe(text.length);
}

describe('chunks of hostile text cover it, in order, within the bound, never within a grapheme', () => {
  test.each(ways)("by '%s'", (by) => {
    const random = randomFrom(16);
    for (let round = 0; round < 150; round++) {
      const text = hostileText(random, 1 + Math.floor(random() * 150));
      const tokenizer = random() < 0.5 ? fixture : small;
      const maxTokens = 8 + Math.floor(random() * 40);
      const overlap = random() < 0.5 ? 0 : Math.floor((random() * (maxTokens - 2)) / 2);
      expectPromises(tokenizer, text, { by, maxTokens, overlap });
    }
  });

  const megabyte = 1 << 20;
  const much = 1 << 14;
  test.each([
    ['one word of a megabyte', 'a'.repeat(megabyte)],
    ['one word of a megabyte of letters that are tokens', 'é'.repeat(much)],
    ['only newlines', '\n'.repeat(megabyte)],
    ['newlines of Windows', '\r\n'.repeat(much)],
    ['only spaces', ' '.repeat(much)],
    ['only full stops', '.'.repeat(much)],
    ['families', '👨‍👩‍👧‍👦'.repeat(1000)],
    ['families and spaces', '👨‍👩‍👧‍👦 '.repeat(1000)],
    ['flags', '🇩🇪'.repeat(400)],
    ['a letter under accents', `a${'\u0301'.repeat(500)} b`],
    ['lone surrogates', '\ud83d'.repeat(1000) + '\udc68'.repeat(1000)],
    ['Chinese without a full stop', '漢字仮名交'.repeat(400)],
    ['Chinese sentences', '我喜欢读书。你呢？'.repeat(400)],
    ['words that long runs of white space follow', `word${' '.repeat(1000)}`.repeat(100)],
    ['a fence that is never closed', '```\nlet x = 1;\n'.repeat(400)],
  ])('%s', (_name, text) => {
    for (const tokenizer of [fixture, small])
      for (const by of ways) expectPromises(tokenizer, text, { by, maxTokens: 40, overlap: by === 'word' ? 9 : 0 });
  });

  test('a text shorter than a chunk is one, an empty text none', () => {
    expect(fixture.chunk('Hello world')).toEqual([{ text: 'Hello world', start: 0, end: 11, tokens: 4 }]);
    expect(fixture.chunk('')).toEqual([]);
    expect(chunk('Hello world', { tokenizer: fixture, maxTokens: 3 }).map(({ text }) => text)).toEqual([
      'Hello ',
      'world',
    ]);
  });
});

describe('a chunk ends', () => {
  const texts = (text: string, options: ChunkOptions): string[] =>
    fixture.chunk(text, options).map(({ text: part }) => part);

  test('at a paragraph rather than at a sentence that would fill it', () => {
    const text = 'One two three. Four five six.\n\nSeven eight nine. Ten one two three.';
    expect(texts(text, { maxTokens: 15 })).toEqual([
      'One two three. Four five six.\n\n',
      'Seven eight nine. Ten one two three.',
    ]);
    expect(texts(text, { maxTokens: 15, by: 'sentence' })[0]).toBe(
      'One two three. Four five six.\n\nSeven eight nine. ',
    );
    expect(texts(text, { maxTokens: 15, by: 'word' })[0]).toBe(
      'One two three. Four five six.\n\nSeven eight nine. Ten ',
    );
  });

  test('at a sentence, not at an initial, an abbreviation or a number', () => {
    const text = 'Dr. J. Smith paid 3.14 dollars. He left. “Good!” she said. It rained.';
    for (let maxTokens = 18; maxTokens < 26; maxTokens++) {
      const ends = texts(text, { maxTokens, by: 'sentence' }).map((part) => part.trim().split(' ').at(-1));
      expect(ends.filter((end) => !['dollars.', 'left.', 'said.', 'rained.'].includes(end ?? ''))).toEqual([]);
    }
  });

  test('within a sentence only where that alone is too long', () => {
    const text = 'One. Two three four five six seven eight nine ten one two.';
    expect(texts(text, { maxTokens: 9 })).toEqual(['One. Two three four five six ', 'seven eight nine ten one two.']);
  });

  test('with what the next begins with, where chunks overlap: sentences, or words where none fits', () => {
    const text = 'One two three four. Five. Six seven eight nine ten one two.';
    expect(texts(text, { maxTokens: 12, overlap: 2 })).toEqual([
      'One two three four. Five. ',
      'Five. Six seven eight nine ten one two.',
    ]);
    const [, second] = fixture.chunk('One two three four five six. Seven eight nine ten one two.', {
      maxTokens: 12,
      overlap: 3,
    });
    expect(second?.text).toBe('five six. Seven eight nine ten one two.');
  });
});

describe("by 'markdown'", () => {
  const text = `# Guide

Welcome to it.

## Install

Run this:

\`\`\`sh
# not a heading
npm install one two three
\`\`\`

Options
-------

| name | what |
| --- | --- |
| one | two |

- first item
- second item
`;

  test('a chunk knows its headings, and one is not left at the end of a chunk', () => {
    const places = ['## Install', 'Options\n---'].map((heading) => text.indexOf(heading));
    for (let maxTokens = 24; maxTokens < 80; maxTokens++) {
      for (const { text: part, start, headings } of fixture.chunk(text, { by: 'markdown', maxTokens })) {
        const under = places.findLast((place) => place <= start);
        const expected = under === undefined ? ['Guide'] : ['Guide', under === places[0] ? 'Install' : 'Options'];
        expect([maxTokens, start, headings]).toEqual([maxTokens, start, expected]);
        if (maxTokens >= 40) expect(part.trimEnd()).not.toMatch(/(^#.*|---)$/);
      }
    }
    expect(
      fixture.chunk('before\n\n### Deep\n\ntext', { by: 'markdown', maxTokens: 7 }).map(({ headings }) => headings),
    ).toEqual([[], ['Deep']]);
  });

  test('fenced blocks and tables are whole where one fits', () => {
    for (let maxTokens = 30; maxTokens < 60; maxTokens++) {
      const parts = fixture.chunk(text, { by: 'markdown', maxTokens }).map(({ text: part }) => part);
      for (const whole of [/```sh[^]*```\n/, /\| name[^]*two \|\n/])
        expect([maxTokens, parts.filter((part) => whole.test(part)).length]).toEqual([maxTokens, 1]);
    }
  });

  test('a longer one is cut at its lines', () => {
    const rows = Array.from({ length: 40 }, (_, i) => `| row ${i} | one two three |\n`).join('');
    const parts = fixture.chunk(`| name | what |\n| --- | --- |\n${rows}`, { by: 'markdown', maxTokens: 50 });
    expect(parts.length).toBeGreaterThan(5);
    expect(parts.filter(({ text: part }) => !part.startsWith('|') || !part.endsWith('|\n'))).toEqual([]);
  });

  test('other ways have no headings', () => {
    expect(fixture.chunk(text).some((each) => 'headings' in each)).toBe(false);
  });
});

test("by 'code' cuts between functions", () => {
  const code = Array.from({ length: 6 }, (_, i) => `function f${i}(a) {\n  const b = a;\n\n  return b;\n}\n\n`).join(
    '',
  );
  const parts = fixture.chunk(code, { by: 'code', maxTokens: 45 });
  expect(parts.length).toBeGreaterThan(2);
  expect(parts.filter(({ text }) => !text.startsWith('function'))).toEqual([]);
});

test('chunks of a real page are within the bound and half full, but for the last', () => {
  const page = readFileSync(join(import.meta.dirname, '..', '..', 'ARCHITECTURE.md'), 'utf8');
  for (const by of ways) {
    expectPromises(fixture, page, { by, maxTokens: 100, overlap: 20 });
    const chunks = fixture.chunk(page, { by, maxTokens: 100 });
    const poor = chunks.slice(0, -1).filter(({ tokens }) => tokens < 30).length;
    expect([by, poor <= chunks.length / 10]).toEqual([by, true]);
  }
});

describe('what is refused', () => {
  test.each<[unknown, RegExp]>([
    [{ maxTokens: 2 }, /maxTokens is 2, but must be at least 3: the special tokens alone are 2/],
    [{ maxTokens: 1.5 }, /maxTokens must be a whole number or Infinity, not 1.5/],
    [{ overlap: -1 }, /overlap must be a whole number from 0, not -1/],
    [{ maxTokens: 10, overlap: 5 }, /overlap is 5, more than half of the 8 tokens/],
    [{ by: 'page' }, /by must be 'paragraph', .* not 'page'/],
  ])('%j', (options, message) => {
    expect(() => fixture.chunk('text', options as ChunkOptions)).toThrow(RangeError);
    expect(() => fixture.chunk('text', options as ChunkOptions)).toThrow(message);
  });

  test('unknown options, and what is no text', () => {
    expect(() => fixture.chunk('text', { size: 3 } as ChunkOptions)).toThrow(/unknown option 'size'/);
    expect(() => fixture.chunk(3 as unknown as string)).toThrow(/text must be a string, not number/);
    expect(() => chunk('text', {} as { tokenizer: Tokenizer })).toThrow(/tokenizer must be a Tokenizer/);
  });
});
