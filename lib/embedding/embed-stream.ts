/** `session.embedStream`: a row per text, from a source of any length, in constant memory. */
import { onAbort } from '../cancellation/abort-listeners.js';
import { abortError } from '../cancellation/deadline.js';
import { checkEmbedOptions, type EmbedOptions } from './embed-options.js';
import type { EmbeddingSession } from './embedding-session.js';
import { embedSlices, type SliceSource } from './embed-slices.js';
import { GtewayError, isGtewayError } from '../errors.js';
import { rejectUnknownKeys } from '../arguments/known-names.js';
import { show } from '../arguments/show.js';

/** Options of `session.embedStream`: those of `session.embed`, for one row per text and no end known. */
export interface EmbedStreamOptions extends Pick<
  EmbedOptions,
  'prompt' | 'normalize' | 'truncate' | 'dimensions' | 'signal'
> {
  /** @default what the model was trained with */
  pooling?: 'mean' | 'cls';
  /**
   * What becomes of the stream when an item fails by itself: it is no string, it is too long and `truncate` is false, or
   * the model makes no finite numbers of it. `'throw'`: the stream rejects in its place, behind the rows before it.
   * `'continue'`: an Error takes the place of its row, and the stream goes on. `details.index` of a GtewayError is the
   * text's number in the stream, from 0.
   * @default 'throw'
   */
  onError?: 'throw' | 'continue';
}

const embedStreamOptionNames = [
  'pooling',
  'prompt',
  'normalize',
  'truncate',
  'dimensions',
  'signal',
  'onError',
] as const satisfies readonly (keyof EmbedStreamOptions)[];

const where = 'session.embedStream()';

/**
 * The rows, in the order of their texts; with `onError: 'continue'` an Error in the place of each text that failed.
 * Throws TypeError or RangeError at once for misuse; the source is opened by the first `next()`.
 */
export function embedStream(
  session: EmbeddingSession,
  texts: AsyncIterable<unknown> | Iterable<unknown>,
  options: EmbedStreamOptions,
): AsyncGenerator<Float32Array | Error, void, undefined> {
  if (!isIterable(texts)) throw new TypeError(`${where}: expected an iterable of strings, not ${show(texts)}`);
  rejectUnknownKeys(options, embedStreamOptionNames, where);
  const { signal, onError = 'throw', ...embedOptions } = options;
  if ((embedOptions.pooling as string | undefined) === 'none') {
    throw new RangeError(`${where}: pooling must be 'mean' or 'cls': there is one row per text`);
  }
  checkEmbedOptions(where, options);
  return rows(session, texts, embedOptions, signal, onError);
}

async function* rows(
  session: EmbeddingSession,
  items: AsyncIterable<unknown> | Iterable<unknown>,
  options: Omit<EmbedStreamOptions, 'signal' | 'onError'>,
  signal: AbortSignal | undefined,
  onError: 'throw' | 'continue',
): AsyncGenerator<Float32Array | Error, void, undefined> {
  if (signal?.aborted === true) throw abortError(signal);
  session.throwIfOver();
  const slices = embedSlices(
    itemSource(items),
    (texts, left) => session.embedWhenRoom(texts, { ...options, onError: 'continue', signal: left }),
    {
      bounds: session.sliceBounds,
      watch(end) {
        const stops = [session.onClose(end)];
        if (signal !== undefined) stops.push(onAbort(signal, () => end(abortError(signal))));
        return () => stops.forEach((stop) => stop());
      },
    },
  );
  let index = 0;
  for await (const { texts, invalid, embeddings } of slices) {
    let row = 0;
    for (let place = 0; place < texts.length + invalid.size; place++, index++) {
      const failure = invalid.get(place) ?? embeddings.errors.get(row);
      if (!invalid.has(place)) row++;
      if (failure === undefined) {
        yield embeddings.at(row - 1);
        continue;
      }
      const error = withIndex(failure, index);
      if (onError === 'throw') throw error;
      yield error;
    }
  }
}

/** The session counts from the beginning of the slice, the caller from the beginning of the stream. */
function withIndex(error: Error, index: number): Error {
  if (!isGtewayError(error)) return error;
  const details = { ...error.details, index };
  return new GtewayError(error.code, error.message.replace(/^text \d+/, `text ${index}`), { cause: error, details });
}

/** Whether something can be read with `for await`. A string could, letter by letter, which nobody means. */
function isIterable(value: unknown): value is AsyncIterable<unknown> | Iterable<unknown> {
  return typeof value === 'object' && value !== null && (Symbol.asyncIterator in value || Symbol.iterator in value);
}

/** Items that a plain iterable gives without a pause for the event loop. */
const itemsAtOnce = 256;

function itemSource(items: AsyncIterable<unknown> | Iterable<unknown>): SliceSource {
  let count = 0;
  const checked = (item: unknown): string | Error => {
    const index = count++;
    if (typeof item === 'string') return item;
    return new TypeError(`${where}: text ${index} must be a string, not ${show(item)}`);
  };
  if (Symbol.asyncIterator in items) {
    const iterator = items[Symbol.asyncIterator]();
    return {
      async next() {
        const item = await iterator.next();
        return item.done === true ? undefined : [checked(item.value)];
      },
      async close() {
        await iterator.return?.();
      },
    };
  }
  const iterator = items[Symbol.iterator]();
  let failure: { error: unknown } | undefined;
  return {
    async next() {
      const group: (string | Error)[] = [];
      try {
        while (failure === undefined && group.length < itemsAtOnce) {
          const item = iterator.next();
          if (item.done === true) break;
          // As for-await does with an array of promises.
          group.push(checked(item.value instanceof Promise ? await item.value : item.value));
        }
      } catch (error) {
        failure = { error };
      }
      if (group.length > 0) return group;
      if (failure !== undefined) throw failure.error;
      return undefined;
    },
    close() {
      iterator.return?.();
      return Promise.resolve();
    },
  };
}
