/**
 * A list of texts of any length, embedded by native calls of a slice each: a call copies its texts on the JavaScript
 * thread and holds them until it is done, so one of a hundred thousand would stall the event loop and double the memory.
 */
import type { NativeEmbedded } from '../../types/binding.js';
import { GtewayError } from '../errors.js';
import { type SliceBounds, sliceBounds, sliceEnds, slicesUnderWay } from './slice-bounds.js';

/** One slice, whose first text is the one at `begin`. `wait`: for room in the queue; otherwise throws ERR_OVERLOADED, at once. */
export type EmbedSlice = (texts: readonly string[], wait: boolean, begin: number) => Promise<NativeEmbedded>;

export interface ListOptions {
  /** Values in a row. */
  readonly dimensions: number;
  /** One row per text: the result's size is known before it is there. */
  readonly isRowPerText: boolean;
  /** Whether the first slice waits for room. Those behind it always do: the call has been admitted by then. */
  readonly wait: boolean;
  /** A failed text ends the call: slices that have not begun are not begun. */
  readonly stopAtError: boolean;
  /** Whether nobody waits for the result any more. */
  readonly ended: () => boolean;
  readonly bounds?: SliceBounds;
  /** Characters that `embed` puts before each text. */
  readonly before?: number;
}

/** The result of all slices, as one native call would have given it. Rejects as the first slice that does. */
export async function embedList(
  list: readonly string[],
  embed: EmbedSlice,
  options: ListOptions,
): Promise<NativeEmbedded> {
  const { wait, stopAtError, ended, bounds = sliceBounds, before } = options;
  const ends = sliceEnds(list, bounds, before);
  if (ends.length <= 1) return embed(list, wait, 0);

  const pieces = new Pieces(list.length, ends.length, options);
  let begun = 0;
  let stopped = false;
  const next = (): { slice: number; begin: number; result: Promise<NativeEmbedded> } => {
    const slice = begun++;
    const begin = ends[slice - 1] ?? 0;
    return { slice, begin, result: embed(list.slice(begin, ends[slice]), wait || slice > 0, begin) };
  };
  const lane = async (first?: ReturnType<typeof next>): Promise<void> => {
    try {
      for (let now = first ?? next(); ; now = next()) {
        const result = await now.result;
        pieces.put(now.slice, now.begin, result);
        if (stopAtError && result.errors.length > 0) stopped = true;
        if (stopped || ended() || begun === ends.length) return;
      }
    } catch (error) {
      stopped = true;
      throw error;
    }
  };
  // A full queue throws here, before there is a second slice.
  const lanes = [lane(next())];
  while (begun < ends.length && lanes.length < slicesUnderWay) lanes.push(lane());
  await Promise.all(lanes);
  return pieces.joined();
}

type Floats = Float32Array<ArrayBuffer>;

/** Results of slices, which come in any order, put together. */
class Pieces {
  readonly #dimensions: number;
  readonly #tokens: Uint32Array<ArrayBuffer>;
  readonly #truncated: Uint8Array<ArrayBuffer>;
  readonly #errors: NativeEmbedded['errors'][number][] = [];
  /** Where each text has a row, the rows of all; otherwise those of each slice. */
  readonly #data: Floats | (Floats | undefined)[];

  constructor(texts: number, slices: number, { dimensions, isRowPerText }: ListOptions) {
    this.#dimensions = dimensions;
    this.#tokens = new Uint32Array(texts);
    this.#truncated = new Uint8Array(texts);
    this.#data = isRowPerText ? floats(texts * dimensions) : new Array<Floats | undefined>(slices);
  }

  put(slice: number, begin: number, { data, tokens, truncated, errors }: NativeEmbedded): void {
    this.#tokens.set(tokens, begin);
    this.#truncated.set(truncated, begin);
    if (this.#data instanceof Float32Array) this.#data.set(data, begin * this.#dimensions);
    else this.#data[slice] = data;
    for (const error of errors) {
      this.#errors.push({
        code: error.code,
        index: begin + error.index,
        message: error.message.replace(/^text \d+/, `text ${begin + error.index}`),
      });
    }
  }

  joined(): NativeEmbedded {
    this.#errors.sort((a, b) => a.index - b.index);
    const data = this.#data instanceof Float32Array ? this.#data : concatenate(this.#data);
    return { data, tokens: this.#tokens, truncated: this.#truncated, errors: this.#errors };
  }
}

/** Slices that were not begun leave holes. */
function concatenate(parts: readonly (Floats | undefined)[]): Floats {
  const there = parts.filter((part) => part !== undefined);
  const all = floats(there.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of there) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

function floats(count: number): Floats {
  try {
    return new Float32Array(count);
  } catch (cause) {
    throw new GtewayError(
      'ERR_OUT_OF_MEMORY',
      `no room for a result of ${count} values (${4 * count} bytes); embedStream() gives rows one by one`,
      { cause },
    );
  }
}
