/** Counts the texts that were cut, and says so once at the end. */
import { note } from './failure.js';

export class TruncationReport {
  #texts: number;
  #cut: number;
  #first: number;

  /** Goes on where another one ended: after `texts`, of which `cut` were cut, `first` being the number of the first. */
  constructor(texts = 0, cut = 0, first = 0) {
    this.#texts = texts;
    this.#cut = cut;
    this.#first = first;
  }

  get cut(): number {
    return this.#cut;
  }

  /** From 1; 0: none was cut. */
  get first(): number {
    return this.#first;
  }

  add(truncated: readonly boolean[]): void {
    for (const isCut of truncated) {
      this.#texts++;
      if (isCut && this.#cut++ === 0) this.#first = this.#texts;
    }
  }

  tell(maxTokens: number): void {
    if (this.#cut === 0) return;
    note(
      `${this.#cut} of ${this.#texts} texts had more than ${maxTokens} tokens and were cut (the first: number ` +
        `${this.#first})`,
    );
  }
}
