/**
 * Markdown into sections, paragraphs, list items and sentences. A table and a fenced block are one piece each, cut only
 * where one alone is longer than a chunk; a heading stays with what follows it.
 */
import { headingStrength, type Pieces, type Section, stepUnits, strength } from './pieces.js';
import { splitSentences } from './prose.js';

const fence = /^ {0,3}(`{3,}|~{3,})(.*)$/;
const heading = /^ {0,3}(#{1,6})(?:[ \t]+(.*?))?(?:[ \t]+#+)?[ \t]*$/;
const underline = /^ {0,3}(=+|-+)[ \t]*$/;
const listItem = /^([ \t]*)(?:[-*+]|\d{1,9}[.)])[ \t]+\S/;
const tableRule = /^ {0,3}\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*$/;

interface Line {
  readonly start: number;
  /** Behind its line break. */
  readonly end: number;
  /** Without the line break. */
  readonly text: string;
}

/** Adds the pieces of `text`, and to `sections` where each heading begins. Yields now and then. */
export function* splitMarkdown(text: string, pieces: Pieces, sections: Section[]): Generator<void, void> {
  const reader = new MarkdownReader(text, pieces, sections);
  let yielded = 0;
  for (let line = lineAt(text, 0); line !== undefined;) {
    const next = lineAt(text, line.end);
    line = reader.take(line, next) ? next : next && lineAt(text, next.end);
    if (line !== undefined && line.start - yielded >= stepUnits) {
      yielded = line.start;
      yield;
    }
  }
  reader.finish();
}

function lineAt(text: string, start: number): Line | undefined {
  if (start >= text.length) return undefined;
  const newline = text.indexOf('\n', start);
  const end = newline < 0 ? text.length : newline + 1;
  const last = newline < 0 ? end : newline > start && text.charCodeAt(newline - 1) === 13 ? newline - 1 : newline;
  return { start, end, text: text.slice(start, last) };
}

class MarkdownReader {
  readonly #text: string;
  readonly #pieces: Pieces;
  readonly #sections: Section[];
  /** Titles by depth - 1; of depths that were left out, none. */
  #titles: (string | undefined)[] = [];
  /** Where the running text began that has not been cut into sentences yet; undefined: what is under way is one piece. */
  #proseFrom: number | undefined = 0;
  #fence: string | undefined;
  #inTable = false;
  #behindBlank = true;
  #behindHeading = false;

  constructor(text: string, pieces: Pieces, sections: Section[]) {
    this.#text = text;
    this.#pieces = pieces;
    this.#sections = sections;
  }

  /** Returns whether `next` is still to be taken: the underline of a heading is not. */
  take(line: Line, next: Line | undefined): boolean {
    if (this.#fence !== undefined) {
      const [, marks = '', info = ''] = fence.exec(line.text) ?? [];
      if (marks.startsWith(this.#fence) && info.trim() === '') this.#endBlock();
      return true;
    }
    if (line.text.trim() === '') {
      if (this.#inTable) this.#endBlock();
      this.#behindBlank = true;
      return true;
    }
    if (this.#inTable && line.text.includes('|')) return true;
    if (this.#inTable) this.#endBlock();
    return this.#begin(line, next);
  }

  /** The first line of something, or one more of a paragraph. */
  #begin(line: Line, next: Line | undefined): boolean {
    const [, marks = '', info = ''] = fence.exec(line.text) ?? [];
    if (marks !== '' && !(marks.startsWith('`') && info.includes('`'))) {
      this.#boundary(line.start, strength.paragraph);
      this.#fence = marks;
      this.#proseFrom = undefined;
      return true;
    }
    const [, hashes = '', title = ''] = heading.exec(line.text) ?? [];
    if (hashes !== '') {
      this.#heading(line, hashes.length, title);
      return true;
    }
    const under = next === undefined ? undefined : underline.exec(next.text)?.[1];
    if (under !== undefined && this.#behindBlank && !listItem.test(line.text)) {
      this.#heading(line, under.startsWith('=') ? 1 : 2, line.text.trim());
      return false;
    }
    if (line.text.includes('|') && next?.text.includes('|') === true && tableRule.test(next.text)) {
      this.#boundary(line.start, strength.paragraph);
      this.#inTable = true;
      this.#proseFrom = undefined;
      return true;
    }
    const indentation = listItem.exec(line.text)?.[1];
    if (indentation !== undefined) this.#boundary(line.start, indentation === '' ? strength.item : strength.line);
    else if (this.#behindBlank) this.#boundary(line.start, strength.paragraph);
    else if (this.#behindHeading) this.#boundary(line.start, strength.word);
    return true;
  }

  finish(): void {
    this.#boundary(this.#text.length, strength.paragraph);
  }

  #heading(line: Line, depth: number, title: string): void {
    this.#boundary(line.start, headingStrength(depth));
    this.#titles = this.#titles.slice(0, depth - 1);
    this.#titles[depth - 1] = title;
    this.#sections.push({ start: line.start, headings: this.#titles.filter((each) => each !== undefined) });
    this.#behindHeading = true;
  }

  /** A table or a fenced block is over: what follows is a paragraph of its own. */
  #endBlock(): void {
    this.#fence = undefined;
    this.#inTable = false;
    this.#behindBlank = true;
  }

  /** Ends what is under way at `at`. */
  #boundary(at: number, howGood: number): void {
    if (this.#proseFrom !== undefined) {
      splitSentences(this.#text, this.#proseFrom, at, at, this.#pieces, 'lines are white space');
    }
    this.#pieces.add(at, this.#behindHeading ? strength.word : howGood);
    this.#proseFrom = at;
    this.#behindBlank = false;
    this.#behindHeading = false;
  }
}
