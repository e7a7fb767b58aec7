/** The patterns in a tokenizer.json: `{ "String": … }`, or of regular expressions those that native code has. */
import type { NativePattern } from '../../types/binding.js';
import type { JsonFields } from './json-fields.js';

const set = (characters: string, whitespace: boolean, least: number, most: number): NativePattern => ({
  literal: '',
  characters,
  whitespace,
  least,
  most,
});

export const literal = (text: string): NativePattern => ({ ...set('', false, 1, Infinity), literal: text });

/** `{ "String": … }` or `{ "Regex": … }`; the regular expression as it is. */
export function readPattern(value: unknown, where: string, fields: JsonFields): { text: string; isRegex: boolean } {
  const pattern = fields.object(value, where);
  const isRegex = 'Regex' in pattern;
  const text = fields.string(isRegex ? pattern.Regex : pattern.String, `${where}.${isRegex ? 'Regex' : 'String'}`);
  if (text === '') throw fields.invalid(where, 'a pattern without a character');
  return { text, isRegex };
}

/** One character, class or `\s`, and how often. */
const atom =
  /^(?:(?<space>\\s)|\[(?<members>(?:\\[nrtfs\\\]^-]|[^\\[\]^&-])+)\]|\\(?<control>[nrtf])|\\?(?<mark>[^\w\s\\])|(?<plain>[\w ]))(?:(?<plus>\+)|\{(?<least>\d+)(?<to>,(?<most>\d*))?\})?$/u;
const metacharacters = /[\\^$.|?*+()[\]{}]/;
const controls = new Map([
  ['n', '\n'],
  ['r', '\r'],
  ['t', '\t'],
  ['f', '\f'],
]);

/** Undefined: another kind of regular expression. */
export function simpleRegex(regex: string): NativePattern | undefined {
  if (!metacharacters.test(regex)) return literal(regex);
  const parts = atom.exec(regex)?.groups;
  if (parts === undefined) return undefined;
  const { space, members, control, mark, plain, plus, least, to, most } = parts;
  // A mark that is not escaped must not mean anything.
  if (mark !== undefined && !regex.startsWith('\\') && metacharacters.test(mark)) return undefined;
  let characters = mark ?? plain ?? controls.get(control ?? '') ?? '';
  let whitespace = space !== undefined;
  if (members !== undefined)
    characters = members.replace(/\\(.)/gu, (_, escaped: string) => {
      whitespace ||= escaped === 's';
      return escaped === 's' ? '' : (controls.get(escaped) ?? escaped);
    });
  const from = plus !== undefined || least === undefined ? 1 : Number(least);
  const until =
    plus !== undefined
      ? Infinity
      : least === undefined
        ? 1
        : to === undefined
          ? from
          : most === ''
            ? Infinity
            : Number(most);
  return from < 1 || until < from ? undefined : set(characters, whitespace, from, until);
}
