/**
 * Bounds the memory of bodies that are arriving or being worked on, all requests together: what arrives beyond it is
 * refused as overload. Only what has arrived counts, so that clients who announce much and send little take nothing
 * from the others.
 */
import { Transform } from 'node:stream';
import { RequestFailure } from './failures.js';

/** Bodies up to here are bounded well enough by the number of connections. */
const smallBytes = 64 * 1024;

export class BodyBudget {
  readonly #limit: number;
  #used = 0;

  /** @param limit bytes */
  constructor(limit: number) {
    this.#limit = limit;
  }

  get usedBytes(): number {
    return this.#used;
  }

  /**
   * The same body, counted while it is read; undefined where it need not be.
   *
   * @param announced the Content-Length, if there is one
   * @param onReleasable gets a function that gives the bytes back, to be called once, when the request is done
   */
  counted(announced: number | undefined, onReleasable: (release: () => void) => void): Transform | undefined {
    if (announced !== undefined && announced <= smallBytes) return undefined;
    let counted = 0;
    onReleasable(() => {
      this.#used -= counted;
      counted = 0;
    });
    return new Transform({
      transform: (chunk: Buffer, _encoding, done) => {
        counted += chunk.length;
        this.#used += chunk.length;
        if (this.#used <= this.#limit) done(null, chunk);
        else
          done(new RequestFailure('overloaded', 'the server has too many large requests in hand; try again shortly'));
      },
    });
  }
}
