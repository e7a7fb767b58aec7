/** Pieces that are longer than a chunk may be, made smaller: into lines, words, graphemes, and no smaller than needed. */
import { isLineEnd, isWhite, mayCutBefore } from './characters.js';
import { strength } from './pieces.js';

/** Counts tokens as a model sees them. */
export interface TokenCounter {
  /** How many special tokens stand around a text. */
  readonly specialTokens: number;
  /** Whether a text that is cut behind a space or a line end has the tokens of its two halves. */
  readonly partsAtSpaces: boolean;
  /**
   * Tokens of text.slice(spans[2 * i], spans[2 * i + 1]), each by itself, without special tokens. Spans come in the order
   * of their beginnings.
   */
  countSpans(text: string, spans: readonly number[]): ArrayLike<number>;
}

export interface FinePiece {
  readonly end: number;
  readonly strength: number;
  readonly tokens: number;
}

/**
 * text[start, end) as pieces of at most `room` tokens each. `howGood` a place to cut is `end`.
 *
 * Throws RangeError where a single character has more.
 */
export function finerPieces(
  text: string,
  start: number,
  end: number,
  howGood: number,
  room: number,
  counter: TokenCounter,
): FinePiece[] {
  const lines = endsBehind(text, start, end, isLineEnd);
  const ends = lines.length > 1 ? lines : wordEnds(text, start, end);
  if (ends.length === 1) return parts(text, start, end, howGood, room, counter);
  const within = lines.length > 1 ? strength.row : strength.word;
  const counts = counter.countSpans(text, spansOf(start, ends));
  return ends.flatMap((at, i) => {
    const tokens = counts[i] ?? 0;
    const here = i === ends.length - 1 ? howGood : within;
    if (tokens <= room) return [{ end: at, strength: here, tokens }];
    return finerPieces(text, ends[i - 1] ?? start, at, here, room, counter);
  });
}

/** Where the words of text[start, end) end, the white space behind each counted to it; at last `end`. */
export function wordEnds(text: string, start: number, end: number): number[] {
  return endsBehind(text, start, end, isWhite);
}

/** The pieces' begins and ends, as countSpans takes them. */
export function spansOf(start: number, ends: readonly number[]): number[] {
  const spans: number[] = [];
  for (const end of ends) {
    spans.push(start, end);
    start = end;
  }
  return spans;
}

/** Behind each run of white space that has a `unit` in it. */
function endsBehind(text: string, start: number, end: number, isEnd: (unit: number) => boolean): number[] {
  const ends: number[] = [];
  for (let at = start; at < end;) {
    let found = false;
    for (; at < end && isWhite(text.charCodeAt(at)); at++) found ||= isEnd(text.charCodeAt(at));
    if (found && at < end && mayCutBefore(text, at)) ends.push(at);
    while (at < end && !isWhite(text.charCodeAt(at))) at++;
  }
  // White space at the beginning goes with what follows, or it would be a piece of nothing.
  if (ends.length > 0 && isAllWhite(text, start, ends[0] ?? start)) ends.shift();
  ends.push(end);
  return ends;
}

function isAllWhite(text: string, start: number, end: number): boolean {
  for (let at = start; at < end; at++) if (!isWhite(text.charCodeAt(at))) return false;
  return true;
}

const graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' });
const dictionary = new Intl.Segmenter('en', { granularity: 'word' });

/** Intl.Segmenter copies its whole text for each segment, so it gets the text in windows. */
const windowUnits = 256;

/** Where the segments of text[start, end) end, where one begins at `start`. */
function segmentEnds(segmenter: Intl.Segmenter, text: string, start: number, end: number): number[] {
  const ends: number[] = [];
  for (let at = start, units = windowUnits; at < end;) {
    const until = Math.min(at + units, end);
    let last = at;
    for (const { index } of segmenter.segment(text.slice(at, until))) {
      if (index === 0) continue;
      last = at + index;
      ends.push(last);
    }
    if (until === end) {
      ends.push(end);
      break;
    }
    // The last segment may go on behind the window.
    units = last > at ? windowUnits : units * 2;
    at = last;
  }
  return ends;
}

/**
 * Where text without white space can be cut, best between words: Chinese, Japanese and Thai, which Intl.Segmenter has
 * dictionaries for, and what is written together in other scripts.
 */
export function unspacedEnds(text: string, start: number, end: number): { ends: number[]; words: Set<number> } {
  return {
    ends: segmentEnds(graphemes, text, start, end),
    words: new Set(segmentEnds(dictionary, text, start, end)),
  };
}

/** What has no white space is halved until it fits, because tokens of parts that are too small say little. */
function parts(
  text: string,
  start: number,
  end: number,
  howGood: number,
  room: number,
  counter: TokenCounter,
): FinePiece[] {
  const { ends, words } = unspacedEnds(text, start, end);
  const pieces: FinePiece[] = [];
  /** Graphemes [first, last) of the text; their own tokens are `tokens`. */
  const halve = (first: number, last: number): void => {
    const from = ends[first - 1] ?? start;
    if (last - first === 1) {
      codePoints(text, from, ends[first] ?? end, room, counter, pieces);
      return;
    }
    const middle = middleOf(first, last, ends, words);
    for (const [a, b] of [
      [first, middle],
      [middle, last],
    ] as const) {
      const [begin, until] = [ends[a - 1] ?? start, ends[b - 1] ?? end];
      const tokens = counter.countSpans(text, [begin, until])[0] ?? 0;
      const here = words.has(until) ? strength.word : strength.part;
      if (tokens <= room) pieces.push({ end: until, strength: until === end ? howGood : here, tokens });
      else halve(a, b);
    }
  };
  halve(0, ends.length);
  const last = pieces.pop();
  if (last !== undefined) pieces.push({ ...last, strength: howGood });
  return pieces;
}

/** About half way between two graphemes, and between words if that leaves a quarter on each side. */
function middleOf(first: number, last: number, ends: readonly number[], words: ReadonlySet<number>): number {
  const middle = (first + last) >> 1;
  const furthest = (last - first) >> 2;
  for (let off = 0; off <= furthest; off++) {
    for (const at of [middle - off, middle + off]) {
      if (at > first && at < last && words.has(ends[at - 1] ?? -1)) return at;
    }
  }
  return middle;
}

/** A grapheme that alone is too long: a letter under a hundred accents. Its characters are taken as they come. */
function codePoints(
  text: string,
  start: number,
  end: number,
  room: number,
  counter: TokenCounter,
  pieces: FinePiece[],
): void {
  for (let from = start; from < end;) {
    const width = (at: number): number => ((text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1);
    let until = from + width(from);
    let tokens = counter.countSpans(text, [from, until])[0] ?? 0;
    if (tokens > room) {
      throw new RangeError(
        `chunk: maxTokens leaves room for ${room} tokens, but the character at ${from} alone has ${tokens}; ` +
          `maxTokens must be at least ${tokens + counter.specialTokens}`,
      );
    }
    while (until < end) {
      const longer = until + width(until);
      const more = counter.countSpans(text, [from, longer])[0] ?? 0;
      if (more > room) break;
      until = longer;
      tokens = more;
    }
    pieces.push({ end: until, strength: strength.part, tokens });
    from = until;
  }
}
