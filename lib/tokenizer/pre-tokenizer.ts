/** The `pre_tokenizer` of a tokenizer.json, as a list of steps. */
import type { NativePreTokenizer, NativeSplitBehavior } from '../../types/binding.js';
import type { Json, JsonFields } from './json-fields.js';
import { literal, readPattern, simpleRegex } from './pattern.js';

/** As published files write them. */
const wordRegexes = new Map<string, 'gpt2' | 'cl100k' | 'qwen'>([
  [String.raw`'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`, 'gpt2'],
  [String.raw`'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`, 'gpt2'],
]);
for (const lineEnds of ['[\\r\\n]+', '[\\r\\n]'])
  for (const [digits, name] of [
    ['\\p{N}{1,3}', 'cl100k'],
    ['\\p{N}', 'qwen'],
  ] as const)
    wordRegexes.set(
      `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|${digits}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|` +
        `\\s*${lineEnds}|\\s+(?!\\S)|\\s+`,
      name,
    );

const behaviors: readonly string[] = ['Removed', 'Isolated', 'MergedWithPrevious', 'MergedWithNext', 'Contiguous'];

export function readPreTokenizer(value: unknown, fields: JsonFields, where = 'pre_tokenizer'): NativePreTokenizer[] {
  if (value === undefined || value === null) return [];
  const stage = fields.object(value, where);
  const { type } = stage;
  const flag = (name: string, byDefault: boolean) => fields.boolean(stage[name] ?? byDefault, `${where}.${name}`);
  switch (type) {
    case 'Sequence':
      return fields
        .array(stage.pretokenizers, `${where}.pretokenizers`)
        .flatMap((each, i) => readPreTokenizer(each, fields, `${where}.pretokenizers[${i}]`));
    case 'BertPreTokenizer':
    case 'Whitespace':
    case 'WhitespaceSplit':
      return [{ type }];
    case 'Punctuation':
      return [{ type, behavior: readBehavior(stage.behavior ?? 'Isolated', where, fields) }];
    case 'Digits':
      return [{ type, behavior: flag('individual_digits', false) ? 'Isolated' : 'Contiguous' }];
    case 'CharDelimiterSplit': {
      const pattern = literal(fields.string(stage.delimiter, `${where}.delimiter`));
      return [{ type: 'Pattern', pattern, behavior: 'Removed', invert: false }];
    }
    case 'Split':
      return [readSplit(stage, where, fields)];
    case 'ByteLevel':
      return [{ type, addPrefixSpace: flag('add_prefix_space', true), useRegex: flag('use_regex', true) }];
    case 'Metaspace': {
      const text = fields.string(stage.replacement, `${where}.replacement`);
      if (Array.from(text).length !== 1)
        throw fields.invalid(`${where}.replacement`, `${JSON.stringify(text)}, not a character`);
      // Files of before 0.15 have only add_prefix_space.
      const prepend = stage.prepend_scheme ?? (flag('add_prefix_space', true) ? 'always' : 'never');
      if (prepend !== 'always' && prepend !== 'first' && prepend !== 'never')
        throw fields.invalid(`${where}.prepend_scheme`, `${JSON.stringify(prepend)}, not "always", "first" or "never"`);
      return [{ type, text, prepend, split: flag('split', true) }];
    }
    default:
      throw fields.unsupported('pre_tokenizer', type);
  }
}

function readBehavior(value: unknown, where: string, fields: JsonFields): NativeSplitBehavior {
  const behavior = fields.string(value, `${where}.behavior`);
  if (!behaviors.includes(behavior)) throw fields.invalid(`${where}.behavior`, JSON.stringify(behavior));
  return behavior as NativeSplitBehavior;
}

function readSplit(stage: Json, where: string, fields: JsonFields): NativePreTokenizer {
  const { text, isRegex } = readPattern(stage.pattern, `${where}.pattern`, fields);
  const behavior = readBehavior(stage.behavior, where, fields);
  const invert = fields.boolean(stage.invert ?? false, `${where}.invert`);
  const regex = isRegex ? wordRegexes.get(text) : undefined;
  if (regex !== undefined) {
    // Every character is in some match, so that these give the matches; others would give nothing, or all in one.
    if (behavior === (invert ? 'Removed' : 'Isolated')) return { type: 'Regex', regex };
    throw fields.unsupported('pre_tokenizer', `Split at matches of ${JSON.stringify(text)} that are ${behavior}`);
  }
  const pattern = isRegex ? simpleRegex(text) : literal(text);
  if (pattern === undefined) throw fields.unsupported('pre_tokenizer', `Split at the pattern ${JSON.stringify(text)}`);
  return { type: 'Pattern', pattern, behavior, invert };
}
