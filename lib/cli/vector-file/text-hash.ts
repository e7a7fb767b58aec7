/** A hash of texts in their order, that can be asked on the way: tells whether an input begins as another one did. */
import { createHash, type Hash } from 'node:crypto';

export class TextHash {
  readonly #hash: Hash = createHash('sha256');
  #count = 0;

  /** How many texts it has seen. */
  get count(): number {
    return this.#count;
  }

  add(texts: Iterable<string>): void {
    for (const text of texts) {
      // The length keeps the ends of the texts apart.
      this.#hash.update(`${text.length}:${text}`);
      this.#count++;
    }
  }

  /** Of the texts so far, in hex. */
  digest(): string {
    return this.#hash.copy().digest('hex');
  }
}
