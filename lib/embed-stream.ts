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
 * The embeddings of all texts, slice after slice, in order, each as soon as it is there. Two slices are under way at a
 * time and a third is read meanwhile; no more, however slowly they are taken. Leaving early closes the source, and the
 * signal that `embed` was given fires.
 */
export async function* embedSlices(
  embed: (texts: readonly string[], signal: AbortSignal) => Promise<Embeddings>,
  groups: AsyncIterable<readonly string[]>,
): AsyncGenerator<Embeddings, void, undefined> {
  const left = new AbortController();
  const source = slices(groups);
  const underWay: Promise<Embeddings>[] = [];
  let reading: Promise<IteratorResult<string[], void>> | undefined = handled(source.next());
  try {
    for (;;) {
      const [oldest] = underWay;
      if (oldest !== undefined && (await isNextDue(oldest, reading, underWay.length))) {
        yield await oldest;
        void underWay.shift();
        continue;
      }
      if (reading === undefined) return;
      const slice: IteratorResult<string[], void> = await reading;
      reading = slice.done === true ? undefined : handled(source.next());
      if (slice.done !== true) underWay.push(handled(embed(slice.value, left.signal)));
    }
  } finally {
    left.abort();
    // Not awaited: a silent source would keep the leaver waiting.
    void source.return().catch(() => undefined);
  }
}

/** Whether the oldest embedding should be waited for and given, before another slice is begun. */
async function isNextDue(
  oldest: Promise<unknown>,
  reading: Promise<unknown> | undefined,
  count: number,
): Promise<boolean> {
  if (reading === undefined || count === slicesUnderWay) return true;
  const settled = (promise: Promise<unknown>, answer: boolean): Promise<boolean> =>
    promise.then(
      () => answer,
      () => answer,
    );
  return Promise.race([settled(oldest, true), settled(reading, false)]);
}

/** The promise itself, whose failure is not an unhandled one although it is awaited only later. */
function handled<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined);
  return promise;
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
async function* slices(groups: AsyncIterable<readonly string[]>): AsyncGenerator<string[], void, undefined> {
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
