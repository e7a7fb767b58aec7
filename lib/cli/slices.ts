/**
 * Embeds any number of texts in bounded memory: in slices large enough for the session to sort and batch them well, two
 * of them under way at a time, so that reading, computing and writing overlap.
 */
import type { Embeddings } from '../embeddings.js';
import type { EmbedOptions } from '../embedding-session.js';
import type { Session } from '../session.js';

const textsPerSlice = 2048;
/** UTF-16 code units. */
const charactersPerSlice = 4 * 2 ** 20;
/** A pipe that says nothing for this long gets the embeddings of what it has said. */
const patienceMs = 50;

const slicesUnderWay = 2;

/** Calls `write` with the embeddings of all texts, slice after slice, in order, one call at a time. */
export async function embedSlices(
  session: Session,
  groups: AsyncIterable<string[]>,
  options: EmbedOptions,
  write: (embeddings: Embeddings) => Promise<void>,
): Promise<void> {
  const underWay: Promise<void>[] = [];
  let last = Promise.resolve();
  for await (const slice of slices(groups)) {
    const embedding = session.embed(slice, options);
    const before = last;
    last = Promise.all([embedding, before]).then(([embeddings]) => write(embeddings));
    // It is awaited below; a failure meanwhile is not an unhandled one.
    last.catch(() => undefined);
    underWay.push(last);
    if (underWay.length === slicesUnderWay) await underWay.shift();
  }
  await last;
}

/** Regroups texts into slices. Each has at least one text. */
export async function* slices(groups: AsyncIterable<string[]>): AsyncGenerator<string[]> {
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
