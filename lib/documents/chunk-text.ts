/**
 * Cuts a text into chunks of at most so many tokens.
 *
 * The text becomes pieces (sentences, lines, headings: see the splitters), the tokens of all of them are counted, and
 * chunks are filled with them in order. A chunk ends at the best boundary among those that leave it at least half full,
 * the last one of equals. What it has is then counted again, as one text, unless the tokens of its pieces are known to
 * add up: with some tokenizers they do not.
 */
import type { Chunk, ChunkOptions } from './chunk-options.js';
import { finerPieces, spansOf, type TokenCounter, unspacedEnds, wordEnds } from './finer-pieces.js';
import { splitMarkdown } from './markdown.js';
import { Pieces, type Section, stepUnits, strength } from './pieces.js';
import { splitProse } from './prose.js';
import { splitCode } from './source-code.js';

/**
 * The text's chunks, in order. Without overlap they are the text, end to end; an empty text has none.
 *
 * Yields every few milliseconds, so that a caller can let others have the thread.
 */
export function* chunkSteps(
  text: string,
  options: Required<ChunkOptions>,
  counter: TokenCounter,
): Generator<void, Chunk[]> {
  const room = options.maxTokens - counter.specialTokens;
  const sections: Section[] = [];
  let pieces = new Pieces();
  if (options.by === 'markdown') yield* splitMarkdown(text, pieces, sections);
  else if (options.by === 'code') yield* splitCode(text, pieces);
  else if (options.by === 'word') yield* splitWords(text, pieces);
  else yield* splitProse(text, pieces);
  pieces = yield* fitting(text, pieces, room, counter);
  const best = options.by === 'sentence' ? strength.sentence : Infinity;
  const filling = new Filling(text, pieces, best, room, options.overlap, counter);
  return yield* filling.chunks(options.by === 'markdown' ? sections : undefined);
}

function* splitWords(text: string, pieces: Pieces): Generator<void, void> {
  for (let at = 0; at < text.length; at = pieces.start(pieces.count)) {
    const end = Math.min(at + stepUnits, text.length);
    const ends = wordEnds(text, at, end);
    // The last one may go on behind the step, and be the only one.
    if (end < text.length && ends.length > 1) ends.pop();
    else if (end < text.length) ends[0] = wordEnds(text, at, text.length)[0] ?? text.length;
    for (const each of ends) pieces.add(each, strength.word);
    yield;
  }
}

/** The pieces with their tokens, those with more than `room` in smaller ones. */
function* fitting(text: string, pieces: Pieces, room: number, counter: TokenCounter): Generator<void, Pieces> {
  const fit = new Pieces();
  for (let first = 0; first < pieces.count;) {
    const start = pieces.start(first);
    let last = first;
    while (last < pieces.count && pieces.start(last) - start < stepUnits) last++;
    const ends = pieces.ends.slice(first, last);
    const counts = counter.countSpans(text, spansOf(start, ends));
    for (let i = 0; i < ends.length; i++) {
      const [from, end] = [ends[i - 1] ?? start, ends[i] ?? start];
      const tokens = counts[i] ?? 0;
      const howGood = pieces.strengths[first + i] ?? strength.word;
      if (tokens <= room) {
        fit.add(end, howGood);
        fit.tokens.push(tokens);
        continue;
      }
      for (const fine of finerPieces(text, from, end, howGood, room, counter)) {
        fit.add(fine.end, fine.strength);
        fit.tokens.push(fine.tokens);
      }
    }
    first = last;
    yield;
  }
  return fit;
}

/** What a chunk repeats of the one before it, and whether its tokens add up with those of what follows. */
interface Repeated {
  readonly start: number;
  readonly tokens: number;
  readonly addsUp: boolean;
}

/** Chunks of pieces that all fit. */
class Filling {
  readonly #text: string;
  readonly #pieces: Pieces;
  /** Boundaries that are better than this are as good. */
  readonly #best: number;
  readonly #room: number;
  readonly #overlap: number;
  readonly #counter: TokenCounter;

  constructor(text: string, pieces: Pieces, best: number, room: number, overlap: number, counter: TokenCounter) {
    this.#text = text;
    this.#pieces = pieces;
    this.#best = best;
    this.#room = room;
    this.#overlap = overlap;
    this.#counter = counter;
  }

  *chunks(sections: readonly Section[] | undefined): Generator<void, Chunk[]> {
    const chunks: Chunk[] = [];
    let section = -1;
    let yielded = 0;
    /** The next piece that is in no chunk, where the chunk begins, and the tokens of what it repeats. */
    let first = 0;
    let { start, tokens: carried, addsUp }: Repeated = { start: 0, tokens: 0, addsUp: true };
    while (first < this.#pieces.count) {
      if (carried + (this.#pieces.tokens[first] ?? 0) > this.#room)
        [start, carried, addsUp] = [this.#pieces.start(first), 0, true];
      let end = this.#end(first, carried);
      const sum = addsUp ? this.#sum(first, end, start) : undefined;
      let tokens = sum === undefined ? this.#count(start, end) : carried + sum;
      while (tokens > this.#room) {
        // Shorter, and at last the one new piece alone, which is known to fit.
        if (end - first > 1) end--;
        else start = this.#pieces.start(first);
        tokens = this.#count(start, end);
      }
      const until = this.#pieces.start(end);
      while (sections !== undefined && (sections[section + 1]?.start ?? Infinity) <= start) section++;
      chunks.push({
        text: this.#text.slice(start, until),
        start,
        end: until,
        tokens: tokens + this.#counter.specialTokens,
        ...(sections === undefined ? {} : { headings: sections[section]?.headings ?? [] }),
      });
      ({
        start,
        tokens: carried,
        addsUp,
      } = this.#overlap === 0 ? { start: until, tokens: 0, addsUp: true } : this.#repeated(start, end));
      first = end;
      if (until - yielded >= stepUnits) {
        yielded = until;
        yield;
      }
    }
    return chunks;
  }

  #count(start: number, end: number): number {
    return this.#counter.countSpans(this.#text, [start, this.#pieces.start(end)])[0] ?? 0;
  }

  /** Whether the tokens on both sides are those of the text: all tokenizers that part at spaces do so behind these. */
  #partsAt(place: number): boolean {
    const unit = this.#text.charCodeAt(place - 1);
    return this.#counter.partsAtSpaces && (unit === 0x20 || unit === 10);
  }

  /** The tokens of pieces in a chunk that begins at `start`; undefined where that is not the sum of theirs. */
  #sum(first: number, end: number, start: number): number | undefined {
    let sum = 0;
    for (let i = first; i < end; i++) {
      const place = this.#pieces.start(i);
      if (place > start && !this.#partsAt(place)) return undefined;
      sum += this.#pieces.tokens[i] ?? 0;
    }
    return sum;
  }

  /** Behind the last piece of a chunk that begins with `carried` tokens and goes on with piece `first`. */
  #end(first: number, carried: number): number {
    const { tokens, strengths, count } = this.#pieces;
    let end = first;
    let sum = carried;
    while (end < count && sum + (tokens[end] ?? 0) <= this.#room) sum += tokens[end++] ?? 0;
    if (end === count) return end;
    let [best, howGood] = [end, -1];
    for (let last = end - 1; last >= first && sum * 2 >= this.#room; last--) {
      const here = Math.min(strengths[last] ?? 0, this.#best);
      if (here > howGood) [best, howGood] = [last + 1, here];
      sum -= tokens[last] ?? 0;
    }
    return best;
  }

  /** Of the chunk that follows one from `start` to piece `end`. */
  #repeated(start: number, end: number): Repeated {
    const { tokens } = this.#pieces;
    const until = this.#pieces.start(end);
    let [piece, sum] = [end, 0];
    // More than `start`: a chunk that begins where the one before it did would be the same again, and longer.
    while (this.#pieces.start(piece - 1) > start && sum + (tokens[piece - 1] ?? 0) <= this.#overlap)
      sum += tokens[--piece] ?? 0;
    if (sum > 0 || piece === 0) {
      const from = this.#pieces.start(piece);
      return { start: from, tokens: sum, addsUp: this.#sum(piece, end, from) !== undefined };
    }
    return this.#lastWords(Math.max(start, this.#pieces.start(end - 1)), until);
  }

  #lastWords(start: number, end: number): Repeated {
    let ends = wordEnds(this.#text, start, end);
    if (ends.length === 1) {
      const { ends: graphemes, words } = unspacedEnds(this.#text, start, end);
      ends = graphemes.filter((at) => words.has(at));
    }
    const counts = this.#counter.countSpans(this.#text, spansOf(start, ends));
    let [word, sum] = [ends.length, 0];
    while (word > 1 && sum + (counts[word - 1] ?? 0) <= this.#overlap) sum += counts[--word] ?? 0;
    return { start: ends[word - 1] ?? end, tokens: sum, addsUp: ends.slice(word, -1).every((at) => this.#partsAt(at)) };
  }
}
