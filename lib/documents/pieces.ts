/** What a text is cut into before chunks are put together: pieces end to end, which are not cut unless they must be. */

/**
 * How much is lost by cutting at a boundary, from most to least. Headings are above everything: see `headingStrength`.
 */
export const strength = {
  /** Inside a word. */
  part: 0,
  word: 1,
  /** A line of what belongs together: of a table, a code block; behind a heading. */
  row: 2,
  sentence: 3,
  line: 4,
  item: 5,
  paragraph: 6,
} as const;

/** Before a heading of this depth, 1 to 6. */
export function headingStrength(depth: number): number {
  return strength.paragraph + 7 - depth;
}

export class Pieces {
  /** Where each piece ends; the next begins there. */
  readonly ends: number[] = [];
  /** How good a place to cut each end is. */
  readonly strengths: number[] = [];
  /** Tokens of each piece by itself, without special tokens. */
  tokens: number[] = [];

  get count(): number {
    return this.ends.length;
  }

  /** Where piece `i` begins. */
  start(i: number): number {
    return this.ends[i - 1] ?? 0;
  }

  /** The piece that begins where the last one ends. Nothing where it would be empty. */
  add(end: number, howGood: number): void {
    if (end > this.start(this.count)) {
      this.ends.push(end);
      this.strengths.push(howGood);
    }
  }
}

/** The headings that a place in a text is under. */
export interface Section {
  readonly start: number;
  readonly headings: readonly string[];
}

/** Splitters give up the thread from time to time, after so many characters: see chunk-text.ts. */
export const stepUnits = 1 << 16;
