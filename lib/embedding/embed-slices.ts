/**
 * Embeds any number of texts in bounded memory: in slices large enough for the session to sort and batch them well, three
 * of them under way while a fourth is used and a fifth is read, so that reading, computing and using overlap.
 *
 * There are no timers: an idle session gets at once what the source has given so far, and a busy one gets whole slices.
 * So a slow source has its vectors soon, and a fast one has full batches.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type SliceBounds, sliceBounds, slicesUnderWay } from './slice-bounds.js';
import type { Embeddings } from '../vectors/embeddings.js';

/** Where texts come from, in their order. */
export interface SliceSource {
  /** Texts that came together; undefined: there are no more. An Error stands for an item that is no text. */
  next(): Promise<readonly (string | Error)[] | undefined>;
  /** Called once when nobody wants the rest, and not behind an end or a failure. */
  close(): Promise<void>;
  /** How far the source has been read, in its own unit, for progress. */
  position?(): number;
}

/** What was read together and is embedded by one call. */
export interface Slice {
  readonly texts: readonly string[];
  /** Items that are no texts, by their place among the slice's items; `texts` is without them. */
  readonly invalid: ReadonlyMap<number, Error>;
  /** `source.position()` when the slice was cut off. */
  readonly position: number;
}

export interface EmbeddedSlice extends Slice {
  readonly embeddings: Embeddings;
}

export interface SliceOptions {
  /** Items, and characters. @default 1,024 and 256 Ki */
  bounds?: SliceBounds;
  /** Calls `end` when the stream has to end early, with the reason. Returns what takes that back. */
  watch?: (end: (reason: unknown) => void) => () => void;
}

/**
 * The embeddings of all texts, slice after slice, in order, each as soon as it is there. Leaving early closes the source
 * and fires the signal that `embed` was given. Rejects as `embed` and the source do, behind the slices before that.
 */
export async function* embedSlices(
  source: SliceSource,
  embed: (texts: readonly string[], signal: AbortSignal) => Promise<Embeddings>,
  { bounds = sliceBounds, watch }: SliceOptions = {},
): AsyncGenerator<EmbeddedSlice, void, undefined> {
  const left = new AbortController();
  const change = new Change();
  const reader = new Reader(source, bounds, change);
  const underWay: Flight[] = [];
  const interruptions: unknown[] = [];
  const unwatch = watch?.((reason) => {
    interruptions.push(reason);
    change.happen();
  });
  const begin = (): void => {
    const slice = reader.take();
    underWay.push(new Flight(slice, embed(slice.texts, left.signal), change));
  };
  const advance = (): void => {
    while (underWay.length < slicesUnderWay && reader.hasWhole) begin();
    reader.readOn();
  };
  let failed = true;
  try {
    for (;;) {
      if (interruptions.length > 0) throw interruptions[0];
      advance();
      const [oldest] = underWay;
      if (oldest?.isSettled === true) {
        const embeddings = await oldest.embeddings;
        underWay.shift();
        advance();
        // What leaves from here on is the consumer, who has no failure to be told instead of the source's.
        failed = false;
        yield { ...oldest.slice, embeddings };
        failed = true;
      } else if (oldest === undefined && reader.hasAny) {
        // What the source has ready belongs to this slice too.
        await nextTurn();
        if (interruptions.length === 0 && !reader.hasWhole) begin();
      } else if (oldest === undefined && reader.isAtEnd) {
        reader.throwFailure();
        failed = false;
        return;
      } else {
        await change.next();
      }
    }
  } finally {
    unwatch?.();
    left.abort();
    try {
      await reader.close();
    } catch (error) {
      // As with for-await: the first failure is the one that is told.
      if (!failed) throw error;
    }
  }
}

/** Something that happens again and again, and that one loop waits for. */
class Change {
  #wake: (() => void) | undefined;
  #hasHappened = false;

  happen(): void {
    this.#hasHappened = true;
    this.#wake?.();
  }

  /** Resolves when it happens, or at once if it has since the last time. */
  async next(): Promise<void> {
    if (!this.#hasHappened) await new Promise<void>((resolve) => (this.#wake = resolve));
    this.#hasHappened = false;
    this.#wake = undefined;
  }
}

/** A slice that is being embedded. */
class Flight {
  readonly slice: Slice;
  readonly embeddings: Promise<Embeddings>;
  isSettled = false;

  constructor(slice: Slice, embeddings: Promise<Embeddings>, change: Change) {
    this.slice = slice;
    this.embeddings = embeddings;
    const settle = (): void => {
      this.isSettled = true;
      change.happen();
    };
    // It is awaited only when its turn comes: until then a failure is not an unhandled one.
    embeddings.then(settle, settle);
  }
}

/** Reads ahead of a source by about one slice, and cuts slices off. */
class Reader {
  readonly #source: SliceSource;
  readonly #bounds: SliceBounds;
  readonly #change: Change;
  #items: (string | Error)[] = [];
  #characters = 0;
  #reading: Promise<void> | undefined;
  #isAtEnd = false;
  #isLeft = false;
  #failure: { error: unknown } | undefined;

  constructor(source: SliceSource, bounds: SliceBounds, change: Change) {
    this.#source = source;
    this.#bounds = bounds;
    this.#change = change;
  }

  get hasAny(): boolean {
    return this.#items.length > 0;
  }

  /** Whether a slice is ready that cannot grow. */
  get hasWhole(): boolean {
    return this.#isFull || (this.#isAtEnd && this.hasAny);
  }

  /** Nothing will follow, and nothing waits to be taken. */
  get isAtEnd(): boolean {
    return this.#isAtEnd && !this.hasAny;
  }

  get #isFull(): boolean {
    return this.#items.length >= this.#bounds.mostTexts || this.#characters >= this.#bounds.mostCharacters;
  }

  throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  /** Goes on reading, if it has room and is not reading already. */
  readOn(): void {
    if (this.#reading !== undefined || this.#isAtEnd || this.#isFull) return;
    this.#reading = this.#read();
  }

  async #read(): Promise<void> {
    try {
      while (!this.#isFull && !this.#isLeft) {
        const items = await this.#source.next();
        if (items === undefined) {
          this.#isAtEnd = true;
          break;
        }
        for (const item of items) {
          this.#items.push(item);
          if (typeof item === 'string') this.#characters += item.length;
        }
        this.#change.happen();
      }
    } catch (error) {
      this.#isAtEnd = true;
      this.#failure = { error };
    }
    this.#reading = undefined;
    this.#change.happen();
  }

  take(): Slice {
    const { mostTexts, mostCharacters } = this.#bounds;
    const texts: string[] = [];
    const invalid = new Map<number, Error>();
    let count = 0;
    let characters = 0;
    for (const item of this.#items) {
      if (count === mostTexts || characters >= mostCharacters) break;
      if (typeof item === 'string') {
        texts.push(item);
        characters += item.length;
      } else invalid.set(count, item);
      count++;
    }
    this.#items.splice(0, count);
    this.#characters -= characters;
    return { texts, invalid, position: this.#source.position?.() ?? 0 };
  }

  /** Ends the reading. A source that is silent in the middle of a read is not waited for. */
  async close(): Promise<void> {
    this.#isLeft = true;
    await Promise.race([this.#reading, nextTurn()]);
    if (this.#isAtEnd) return;
    const closing = this.#source.close();
    if (this.#reading === undefined) await closing;
    else closing.catch(() => undefined);
  }
}
