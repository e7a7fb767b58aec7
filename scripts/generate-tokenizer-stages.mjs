#!/usr/bin/env node
// Writes tests/tokenizer/stages.jsonl: what Hugging Face tokenizers makes of texts that lean towards what breaks
// tokenizers, stage by stage, each with options of its own.
//
//   npm install --prefix DIR --ignore-scripts tokenizers@0.23.2
//   node scripts/generate-tokenizer-stages.mjs DIR
import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const directory = process.argv[2];
if (directory === undefined) {
  console.error('usage: generate-tokenizer-stages.mjs DIRECTORY_WITH_node_modules/tokenizers');
  process.exit(2);
}
const { Tokenizer } = createRequire(join(resolve(directory), 'index.js'))('tokenizers');

const texts = [
  '',
  ' ',
  'Hello world',
  '  two  blanks,\ttabs\nand\r\nline ends \n ',
  "I'm you're he'S they'LL it'd ''quoted'' don't 'ſ",
  'É é e\u0301 A\u030A\u0323 a\u0323\u030A \u0344 \u1E9B\u0323 ﬁ ① ㎏ ½² Ⅷ',
  '한국어 각 ᄀ\u1161\u11A8 中文字，。「」 ｆｕｌｌ ｶﾞ',
  '\u0000a\u0001b\u007Fc\u200Bd\uFEFFe\u00ADf\uFFFDg\u2028h\u0085i\u3000j',
  'abc123def 1,234.5 ٣٤ १२ x1y22z333',
  'a.b,c!d -- ... «x» §5 $5 a+b=c ~^`|<>',
  '▁a ▁ ▁▁b a▁b',
  'x<m>y <m> z<s>  <s>w Ab abc',
  'İSTANBUL Straße ΣΑΣ ǅ ŉ',
  '👩‍👩‍👧 🇩🇪🇫🇷 👍🏽 ©\u200D® \u0600a',
  'é\u0301\u0327x\u0334\u0301 \u0301y \u0E33\u0E01\u0E33 \u0915\u094D\u0937',
  'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa',
  'trailing   ',
  '\n\n\nlines\n\n \n  x',
];

/** @param {string} content @param {object} rules */
const token = (content, rules = {}) => ({
  content,
  id: 0,
  special: false,
  single_word: false,
  lstrip: false,
  rstrip: false,
  normalized: false,
  ...rules,
});
const regexes = {
  gpt2: "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
  cl100k:
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
  qwen: "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
};
const metaspace = (/** @type {string} */ scheme, split = true) => ({
  type: 'Metaspace',
  replacement: '▁',
  prepend_scheme: scheme,
  split,
});
const byteLevel = (/** @type {boolean} */ prefix, regex = true) => ({
  type: 'ByteLevel',
  add_prefix_space: prefix,
  trim_offsets: true,
  use_regex: regex,
});
const bert = {
  type: 'BertNormalizer',
  clean_text: true,
  handle_chinese_chars: true,
  strip_accents: null,
  lowercase: true,
};
const replace = (/** @type {object} */ pattern, /** @type {string} */ content) => ({
  type: 'Replace',
  pattern,
  content,
});
const split = (/** @type {object} */ pattern, /** @type {string} */ behavior, invert = false) => ({
  type: 'Split',
  pattern,
  behavior,
  invert,
});
const normalizers = [
  ...['NFC', 'NFD', 'NFKC', 'NFKD', 'Lowercase', 'StripAccents', 'Nmt'].map((type) => ({ type })),
  bert,
  replace({ String: 'a' }, 'bb'),
  replace({ String: ' ' }, '▁'),
  replace({ Regex: ' {2,}' }, ' '),
  replace({ Regex: '\\s+' }, ' '),
  replace({ Regex: '[\\r\\n]' }, ''),
  { type: 'Prepend', prepend: '▁' },
  { type: 'Strip', strip_left: true, strip_right: false },
  { type: 'Strip', strip_left: true, strip_right: true },
  { type: 'Sequence', normalizers: [{ type: 'NFD' }, { type: 'Lowercase' }, { type: 'StripAccents' }] },
  { type: 'Sequence', normalizers: [{ type: 'Prepend', prepend: '▁' }, replace({ String: ' ' }, '▁')] },
];
const preTokenizers = [
  null,
  ...['BertPreTokenizer', 'Whitespace', 'WhitespaceSplit'].map((type) => ({ type })),
  ...['Removed', 'Isolated', 'MergedWithPrevious', 'MergedWithNext', 'Contiguous'].flatMap((behavior) => [
    { type: 'Punctuation', behavior },
    split({ String: 'a' }, behavior),
    split({ Regex: '\\s+' }, behavior),
    split({ Regex: ' ' }, behavior, true),
  ]),
  { type: 'Digits', individual_digits: true },
  { type: 'Digits', individual_digits: false },
  { type: 'CharDelimiterSplit', delimiter: ' ' },
  ...Object.values(regexes).flatMap((Regex) => [split({ Regex }, 'Isolated'), split({ Regex }, 'Removed', true)]),
  ...['always', 'first', 'never'].flatMap((scheme) => [metaspace(scheme), metaspace(scheme, false)]),
  byteLevel(false),
  byteLevel(true),
  byteLevel(false, false),
  { type: 'Sequence', pretokenizers: [{ type: 'WhitespaceSplit' }, metaspace('always')] },
  { type: 'Sequence', pretokenizers: [{ type: 'WhitespaceSplit' }, metaspace('first')] },
  { type: 'Sequence', pretokenizers: [split({ Regex: regexes.cl100k }, 'Isolated'), byteLevel(false, false)] },
  { type: 'Sequence', pretokenizers: [{ type: 'Digits', individual_digits: true }, byteLevel(true)] },
  { type: 'Sequence', pretokenizers: [{ type: 'Punctuation', behavior: 'Isolated' }, metaspace('first')] },
];
const addedTokens = [
  [token('<m>', { lstrip: true }), token('<s>', { rstrip: true })],
  [token('<m>', { normalized: true, lstrip: true }), token('ab', { normalized: true, single_word: true })],
  [token('  ', { normalized: true }), token('<s>', { normalized: true, rstrip: true })],
];

// Every character a token of its own, in the middle of a word another one: ids tell characters and words.
const forms = /** @type {const} */ (['NFC', 'NFD', 'NFKC', 'NFKD']);
const all = texts.join('') + '▁?';
const seen = new Set(
  all + all.toLowerCase() + forms.map((form) => all.normalize(form) + all.toLowerCase().normalize(form)).join(''),
);
for (let point = 0x21; point < 0x144; point++) seen.add(String.fromCodePoint(point));
const characters = [...seen].sort().join('');
const spelling = {
  type: 'BPE',
  unk_token: '<unk>',
  continuing_subword_prefix: '##',
  merges: [],
  vocab: Object.fromEntries(
    ['<unk>', ...[...characters].flatMap((each) => [each, `##${each}`])].map((each, id) => [each, id]),
  ),
};

const subwords = [
  'a',
  'b',
  'c',
  'l',
  'o',
  'e',
  'h',
  '▁',
  'ab',
  'bc',
  'abc',
  'lo',
  'hel',
  'he',
  'll',
  '▁a',
  '▁▁',
  'Ġ',
  'Ġw',
  'or',
  'r',
  'w',
];
const bytes = Array.from({ length: 256 }, (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`);
const bpeVocab = Object.fromEntries(['<unk>', ...subwords, ...bytes].map((each, id) => [each, id]));
const merges = ['a b', 'b c', 'ab c', 'l o', 'h e', 'l l', 'he l', '▁ a', '▁ ▁', 'Ġ w', 'o r'];
const bpe = (/** @type {object} */ options) => ({ type: 'BPE', vocab: bpeVocab, merges, ...options });
const suffixed = {
  type: 'BPE',
  vocab: Object.fromEntries(
    ['<unk>', 'a', 'b', 'a</w>', 'b</w>', 'ab</w>', '##a', '##b', 'ab', '##b</w>', 'ab##'].map((each, id) => [
      each,
      id,
    ]),
  ),
};
const unigram = (/** @type {object} */ options) => ({
  type: 'Unigram',
  unk_id: 0,
  vocab: ['<unk>', ...subwords, 'aaa', 'aaaa', ...bytes].map((each, id) => [
    each,
    id === 0 ? 0 : -((id * 7) % 11) - 1 / (id + 1),
  ]),
  ...options,
});
const models = [
  bpe({ unk_token: '<unk>' }),
  bpe({ unk_token: '<unk>', fuse_unk: true }),
  bpe({ unk_token: null }),
  bpe({ unk_token: '<unk>', byte_fallback: true }),
  bpe({ unk_token: '<unk>', ignore_merges: true }),
  { ...suffixed, unk_token: '<unk>', end_of_word_suffix: '</w>', merges: ['a b</w>'] },
  { ...suffixed, unk_token: '<unk>', continuing_subword_prefix: '##', merges: ['a ##b'] },
  unigram({}),
  unigram({ byte_fallback: true }),
  {
    type: 'WordPiece',
    unk_token: '<unk>',
    continuing_subword_prefix: '##',
    max_input_chars_per_word: 20,
    vocab: spelling.vocab,
  },
];

/** @type {{ normalizer?: object | null, pre_tokenizer?: object | null, added_tokens?: object[], model?: object, ids?: number[][] }[]} */
const cases = [
  ...normalizers.map((normalizer) => ({ normalizer })),
  ...preTokenizers.map((pre_tokenizer) => ({ pre_tokenizer })),
  ...addedTokens.flatMap((added_tokens) =>
    [null, bert, { type: 'NFKC' }].flatMap((normalizer) =>
      [metaspace('first'), byteLevel(true)].map((pre_tokenizer) => ({ added_tokens, normalizer, pre_tokenizer })),
    ),
  ),
  ...models.flatMap((model) =>
    [{ type: 'WhitespaceSplit' }, metaspace('always'), byteLevel(false)].map((pre_tokenizer) => ({
      model,
      pre_tokenizer,
    })),
  ),
];
for (const each of cases) {
  const tokenizer = Tokenizer.fromString(
    JSON.stringify({
      version: '1.0',
      added_tokens: [],
      normalizer: null,
      pre_tokenizer: null,
      model: spelling,
      ...each,
    }),
  );
  each.ids = (await tokenizer.encodeBatch(texts)).map((encoding) => encoding.getIds());
}
const target = fileURLToPath(new URL('../tests/tokenizer/stages.jsonl', import.meta.url));
writeFileSync(target, [{ spelling, texts }, ...cases].map((line) => `${JSON.stringify(line)}\n`).join(''));
console.log(`${target}: ${cases.length} cases, ${texts.length} texts`);
