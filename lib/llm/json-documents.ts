/**
 * Cuts a text that arrives in pieces into the JSON objects in it, wherever the pieces end and however the objects are
 * laid out: one per line (NDJSON), several on one line, or pretty-printed over many.
 *
 * It finds where each object ends and leaves judging its inside to JSON.parse.
 */
export class JsonDocuments {
  #pending = '';
  /** How much of `#pending` has been looked at. */
  #seen = 0;
  #depth = 0;
  #inString = false;
  #escaped = false;

  readonly #limit: number;

  /** @param limit characters that one object may have */
  constructor(limit = 16 * 1024 * 1024) {
    this.#limit = limit;
  }

  /** What has arrived of an object that is not complete. */
  get rest(): string {
    return this.#pending.trimStart();
  }

  /**
   * The objects that are complete now, each as its own text.
   *
   * @throws {SyntaxError} where something that is no object begins, or an object exceeds the limit
   */
  *push(piece: string): Generator<string, void, undefined> {
    this.#pending += piece;
    while (this.#seen < this.#pending.length) {
      if (this.#depth === 0 && !this.#findStart()) return;
      if (!this.#findEnd()) {
        if (this.#pending.length > this.#limit) {
          throw new SyntaxError(`a JSON object is longer than ${this.#limit} characters`);
        }
        return;
      }
      const document = this.#pending.slice(0, this.#seen);
      this.#pending = this.#pending.slice(this.#seen);
      this.#seen = 0;
      yield document;
    }
  }

  #findStart(): boolean {
    const start = this.#pending.search(/\S/);
    if (start === -1) {
      this.#pending = '';
      this.#seen = 0;
      return false;
    }
    if (this.#pending[start] !== '{') {
      throw new SyntaxError(`expected a JSON object, got ${JSON.stringify(this.#pending.slice(start, start + 40))}`);
    }
    this.#pending = this.#pending.slice(start);
    this.#seen = 1;
    this.#depth = 1;
    return true;
  }

  #findEnd(): boolean {
    for (; this.#seen < this.#pending.length; this.#seen++) {
      const code = this.#pending.charCodeAt(this.#seen);
      if (this.#inString) {
        if (this.#escaped) this.#escaped = false;
        else if (code === 0x5c /* \ */) this.#escaped = true;
        else if (code === 0x22 /* " */) this.#inString = false;
      } else if (code === 0x22 /* " */) this.#inString = true;
      else if (code === 0x7b /* { */) this.#depth++;
      else if (code === 0x7d /* } */ && --this.#depth === 0) {
        this.#seen++;
        return true;
      }
    }
    return false;
  }
}
