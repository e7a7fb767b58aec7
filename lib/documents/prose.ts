/**
 * Running text into sentences, lines and paragraphs.
 *
 * A pass of its own: Intl.Segmenter, whose iterator copies the whole text for each sentence, is many times slower even in
 * windows (`node bench/documents/chunking.mjs` measures both), and it ends a sentence at every "J. Smith".
 */
import { isLineEnd, isWhite, lineEnds, mayCutBefore, skipWhite } from './characters.js';
import { type Pieces, stepUnits, strength } from './pieces.js';

/** Paragraphs, lines, sentences. Yields now and then. */
export function* splitProse(text: string, pieces: Pieces): Generator<void, void> {
  for (let at = 0; at < text.length;) {
    at = splitSentences(text, at, Math.min(at + stepUnits, text.length), text.length, pieces, 'lines end pieces');
    yield;
  }
  pieces.add(text.length, strength.paragraph);
}

/** ASCII units that may end a piece. */
const mayEnd = new Uint8Array(128);
for (const unit of Buffer.from('.!?\n\r\f\v')) mayEnd[unit] = 1;

/** Full stops of scripts that put no space behind them. */
const isWideStop = (unit: number): boolean =>
  unit === 0x3002 || unit === 0xff01 || unit === 0xff1f || unit === 0xff61 || unit === 0xff0e;
/** Others: Arabic, Urdu, Devanagari, the ellipsis. */
const isOtherStop = (unit: number): boolean =>
  unit === 0x2026 || unit === 0x61f || unit === 0x6d4 || unit === 0x964 || unit === 0x965;
const isStop = (unit: number): boolean =>
  unit < 128 ? unit === 0x2e || unit === 0x21 || unit === 0x3f : isWideStop(unit) || isOtherStop(unit);

/** Quotes and brackets that close behind a full stop. */
const closers = new Set(Array.from('"\')]}»”’›」』】）》〉', (each) => each.charCodeAt(0)));

const abbreviations = new Set(['Mr', 'Mrs', 'Ms', 'Dr', 'Prof', 'St', 'Sr', 'Jr', 'vs', 'No', 'Fig', 'Eq', 'cf']);
const longestAbbreviation = 4;

/**
 * Adds the pieces of text[from, to) that end at `until` or before it, and the one that goes beyond. Returns where that
 * ends; `to` where none ends any more, and the last piece is the caller's to add.
 */
export function splitSentences(
  text: string,
  from: number,
  until: number,
  to: number,
  pieces: Pieces,
  lines: 'lines end pieces' | 'lines are white space',
): number {
  const soft = lines === 'lines are white space';
  let at = from;
  while (at < to) {
    const unit = text.charCodeAt(at);
    if (unit < 128 ? mayEnd[unit] === 0 : unit < 0x600 && unit !== 0x85) {
      at++;
      continue;
    }
    let end: number;
    let howGood: number = strength.sentence;
    if (isLineEnd(unit)) {
      end = skipWhite(text, at, to);
      if (!soft) howGood = isParagraphEnd(text, at, end) ? strength.paragraph : strength.line;
    } else if (isStop(unit)) {
      end = sentenceEnd(text, at, to, soft);
    } else {
      at++;
      continue;
    }
    if (end < 0 || (soft && isLineEnd(unit)) || end >= to || !mayCutBefore(text, end)) {
      at = Math.max(end, at + 1);
      continue;
    }
    pieces.add(end, howGood);
    if (end >= until) return end;
    at = end;
  }
  return to;
}

function isParagraphEnd(text: string, from: number, to: number): boolean {
  const unit = text.charCodeAt(from);
  return unit === 0x2029 || unit === 12 || lineEnds(text, from, to) > 1;
}

/** Where the next sentence begins if one ends at the stop text[at]; -1: none does. */
function sentenceEnd(text: string, at: number, to: number, soft: boolean): number {
  const wide = isWideStop(text.charCodeAt(at));
  let end = at + 1;
  while (end < to && isStop(text.charCodeAt(end))) end++;
  while (end < to && closers.has(text.charCodeAt(end))) end++;
  let next = end;
  for (; next < to; next++) {
    const unit = text.charCodeAt(next);
    if (!isWhite(unit)) break;
    // The end of the line is a better place to cut.
    if (isLineEnd(unit) && !soft) return -1;
  }
  if (wide || next >= to) return next;
  if (next === end || isLowerCase(text, next)) return -1;
  return text.charCodeAt(at) === 0x2e && isAbbreviation(text, at) ? -1 : next;
}

function isLowerCase(text: string, at: number): boolean {
  const unit = text.charCodeAt(at);
  if (unit < 128) return unit >= 0x61 && unit <= 0x7a;
  const character = text.charAt(at);
  return character !== character.toUpperCase() && character === character.toLowerCase();
}

/** Whether the full stop at `at` stands behind an initial ("J. Smith") or a common abbreviation. */
function isAbbreviation(text: string, at: number): boolean {
  let begin = at;
  while (begin > 0 && at - begin <= longestAbbreviation && isLetter(text.charCodeAt(begin - 1))) begin--;
  const length = at - begin;
  if (length === 0 || length > longestAbbreviation) return false;
  if (length === 1) return text.charCodeAt(begin) < 0x61 && text.charCodeAt(begin) !== 0x49;
  return abbreviations.has(text.slice(begin, at));
}

function isLetter(unit: number): boolean {
  return (unit >= 0x41 && unit <= 0x5a) || (unit >= 0x61 && unit <= 0x7a);
}
