/**
 * Where in a text its tokens came from, in bytes of UTF-8.
 *
 * The native tokenizer keeps no places: they cost time, and vectors need none. They are found again by normalizing the
 * text a second time, code point by code point, and spelling the tokens along it. That is done for BERT's tokenizers;
 * of others no place is told.
 */
import type { NativeTokenizerConfig } from '../../types/binding.js';

export interface Span {
  readonly start: number;
  /** Behind the last byte. */
  readonly stop: number;
}

type Normalization = Pick<
  NativeTokenizerConfig,
  'bert' | 'cleanText' | 'handleChineseChars' | 'stripAccents' | 'lowercase' | 'continuingSubwordPrefix' | 'unkToken'
> & { readonly addedTokens: readonly { readonly content: string }[] };

export class TokenSpans {
  readonly #config: Normalization;
  readonly #added: ReadonlySet<string>;

  constructor(config: Normalization) {
    this.#config = config;
    this.#added = new Set(config.addedTokens.map(({ content }) => content));
  }

  /**
   * A span for each of the tokens of `text`, special tokens around it left out. Undefined from the first on that cannot
   * be found: Unicode tables of other versions disagree on a few new characters.
   */
  of(text: string, tokens: readonly string[]): (Span | undefined)[] {
    if (!this.#config.bert) return Array.from(tokens, () => undefined);
    const reader = new NormalizedReader(text, this.#config);
    const spans: (Span | undefined)[] = [];
    for (const token of tokens) {
      const span = this.#next(reader, token);
      if (span === undefined) break;
      spans.push(span);
    }
    return Array.from(tokens, (_, i) => spans[i]);
  }

  #next(reader: NormalizedReader, token: string): Span | undefined {
    const { continuingSubwordPrefix: prefix, unkToken } = this.#config;
    const isAdded = this.#added.has(token);
    // A piece of a word begins where the piece before it ended, and would not begin a word with this spelling.
    const continues = !isAdded && token.startsWith(prefix) && reader.isInWord;
    if (!continues) reader.skipSpace();
    if (isAdded) {
      const span = reader.takeLiteral(token);
      if (span !== undefined) return span;
    }
    if (token === unkToken) return reader.takeWord();
    return reader.takeSpelling(continues ? token.slice(prefix.length) : token);
  }
}

const space = /\p{White_Space}/u;
const punctuation = /[!-/:-@[-`{-~\p{P}]/u;
const nonspacingMark = /\p{Mn}/gu;
// Tabs and line ends are spaces and not removed. U+FFFD is what could not be decoded.
const removed = /(?![\t\n\r])[\p{Cc}\p{Cf}\p{Co}\p{Cs}\uFFFD]/u;
const chinese = new RegExp(
  '[\u4E00-\u9FFF\u3400-\u4DBF\uF900-\uFAFF\\u{20000}-\\u{2A6DF}\\u{2A700}-\\u{2B73F}\\u{2B740}-\\u{2B81F}' +
    '\\u{2B820}-\\u{2CEAF}\\u{2F800}-\\u{2FA1F}]',
  'u',
);

interface Normalized {
  readonly char: string;
  readonly span: Span;
}

/** The code points of a normalized text, each with the place of the one it came from. */
class NormalizedReader {
  readonly #text: string;
  readonly #config: Normalization;
  /** In UTF-16 units, and in bytes. */
  #at = 0;
  #byte = 0;
  #ahead: Normalized[] = [];
  /** Whether what was taken last was part of a word that may go on. */
  isInWord = false;

  constructor(text: string, config: Normalization) {
    this.#text = text;
    this.#config = config;
  }

  skipSpace(): void {
    for (let next = this.#peek(); next !== undefined && space.test(next.char); next = this.#peek()) this.#ahead.shift();
    this.isInWord = false;
  }

  /** As it stands in the text, before anything is normalized. */
  takeLiteral(content: string): Span | undefined {
    // What is ahead came of one code point, which must be the first of the content.
    const [next] = this.#ahead;
    const begin = next === undefined ? this.#at : this.#at - this.#lastUnits;
    if (!this.#text.startsWith(content, begin)) return undefined;
    const start = next?.span.start ?? this.#byte;
    this.#ahead = [];
    this.#at = begin + content.length;
    this.#byte = start + Buffer.byteLength(content);
    this.isInWord = false;
    return { start, stop: this.#byte };
  }

  takeSpelling(spelling: string): Span | undefined {
    let span: Span | undefined;
    for (const char of spelling) {
      const next = this.#peek();
      if (next?.char !== char) return undefined;
      this.#ahead.shift();
      span = { start: span?.start ?? next.span.start, stop: next.span.stop };
    }
    this.isInWord = true;
    return span;
  }

  /** Up to the next space or punctuation, which is a word of its own. */
  takeWord(): Span | undefined {
    let span: Span | undefined;
    for (;;) {
      const next = this.#peek();
      if (next === undefined || space.test(next.char)) return span;
      const isPunctuation = punctuation.test(next.char);
      if (isPunctuation && span !== undefined) return span;
      this.#ahead.shift();
      span = { start: span?.start ?? next.span.start, stop: next.span.stop };
      if (isPunctuation) return span;
    }
  }

  #lastUnits = 0;

  #peek(): Normalized | undefined {
    while (this.#ahead.length === 0 && this.#at < this.#text.length) {
      const point = String.fromCodePoint(this.#text.codePointAt(this.#at) ?? 0);
      const span = { start: this.#byte, stop: this.#byte + Buffer.byteLength(point) };
      this.#at += this.#lastUnits = point.length;
      this.#byte = span.stop;
      this.#ahead = Array.from(this.#normalized(point), (char) => ({ char, span }));
    }
    return this.#ahead[0];
  }

  /** BertNormalizer's steps, in its order. */
  #normalized(point: string): string {
    const { cleanText, handleChineseChars, stripAccents, lowercase } = this.#config;
    let result = point;
    if (cleanText) {
      if (removed.test(point)) return '';
      if (space.test(point)) return ' ';
    }
    if (stripAccents) result = result.normalize('NFD').replace(nonspacingMark, '');
    if (lowercase) result = result.toLowerCase();
    return handleChineseChars && chinese.test(point) ? ` ${result} ` : result;
  }
}
