/**
 * Embeds any number of texts in bounded memory: in slices large enough for the session to sort and batch them well, two
 * of them under way at a time, so that reading, computing and using the vectors overlap.
 */
import type { Embeddings } from './embeddings.js';
import { show } from './session-options.js';

const textsPerSlice = 2048;
/** UTF-16 code units. */
const charactersPerSlice = 4 * 2 ** 20;
/** A source that says nothing for this long gets the embeddings of what it has said. */
const patienceMs = 50;

const slicesUnderWay = 2;

/**
 * The embeddings of all texts, slice after slice, in order. Reads ahead by two slices and no more, however slowly they
 * are taken. Leaving early closes the source; `embed` is then given a signal that has fired.
 */
export async function* embedSlices(
  embed: (texts: readonly string[], signal: AbortSignal) => Promise<Embeddings>,
  groups: AsyncIterable<readonly string[]>,
): AsyncGenerator<Embeddings, void, undefined> {
  const left = new AbortController();
  const underWay: Promise<Embeddings>[] = [];
  try {
    for await (const slice of slices(groups)) {
      const embedding = embed(slice, left.signal);
      // It is awaited below; a failure meanwhile is not an unhandled one.
      embedding.catch(() => undefined);
      underWay.push(embedding);
      const oldest = underWay.length === slicesUnderWay ? underWay.shift() : undefined;
      if (oldest !== undefined) yield await oldest;
    }
    for (const embedding of underWay) yield await embedding;
  } finally {
    left.abort();
  }
}

/** Single texts as groups, checked. Throws TypeError naming the one that is not a string. */
export async function* textGroups(texts: AsyncIterable<string> | Iterable<string>): AsyncGenerator<readonly string[]> {
  let count = 0;
  for await (const text of texts) {
    if (typeof text !== 'string') {
      throw new TypeError(`session.embedStream(): text ${count} must be a string, not ${show(text)}`);
    }
    count++;
    yield [text];
  }
}

/** Whether something can be read with `for await`. A string could, letter by letter, which nobody means. */
export function isTextSource(value: unknown): value is AsyncIterable<string> | Iterable<string> {
  return typeof value === 'object' && value !== null && (Symbol.asyncIterator in value || Symbol.iterator in value);
}

/** Regroups texts into slices. Each has at least one text. */
export async function* slices(groups: AsyncIterable<readonly string[]>): AsyncGenerator<string[]> {
  const iterator = groups[Symbol.asyncIterator]();
  let slice: string[] = [];
  let characters = 0;
  try {
    let next = iterator.next();
    for (;;) {
      const group = slice.length === 0 ? await next : await orSilence(next);
      if (group === undefined || group.done === true) {
        if (slice.length > 0) yield slice;
        if (group !== undefined) return;
        [slice, characters] = [[], 0];
        continue;
      }
      for (const text of group.value) {
        slice.push(text);
        characters += text.length;
        if (slice.length < textsPerSlice && characters < charactersPerSlice) continue;
        yield slice;
        [slice, characters] = [[], 0];
      }
      next = iterator.next();
    }
  } finally {
    // The reader of the slices may leave early. Not awaited: a silent pipe would keep it waiting.
    void iterator.return?.().catch(() => undefined);
  }
}

/** What `promise` resolves to, or undefined when it takes too long. */
async function orSilence<T>(promise: Promise<T>): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const silence = new Promise<undefined>((resolve) => (timer = setTimeout(resolve, patienceMs, undefined)));
  try {
    return await Promise.race([promise, silence]);
  } finally {
    clearTimeout(timer);
  }
}
