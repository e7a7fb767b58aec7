/** What `chunk` takes and gives. */
import { rejectUnknownKeys } from '../arguments/known-names.js';
import { show } from '../arguments/show.js';

/** What to cut at, where there is a choice. */
export type ChunkBy = 'paragraph' | 'sentence' | 'word' | 'markdown' | 'code';

/** Options of `tokenizer.chunk` and `session.embedDocument`. */
export interface ChunkOptions {
  /**
   * The most tokens of a chunk, special tokens counted.
   * @default what the model takes
   */
  maxTokens?: number;
  /**
   * How many tokens, at most, a chunk begins with that the one before it ends with: whole sentences if one fits, else
   * words. At most half of what `maxTokens` leaves beside special tokens.
   * @default 0
   */
  overlap?: number;
  /**
   * `'paragraph'`: at the end of a paragraph, line or sentence, whichever is best of those that leave a chunk at least
   * half full. `'sentence'`: chunks as full as sentences make them; `'word'`: as words make them. `'markdown'`: before
   * headings, paragraphs and list items; each chunk has its `headings`. `'code'`: at blank and less indented lines.
   * A sentence, a table, a fenced block is cut only where it alone is longer than a chunk.
   * @default 'paragraph'
   */
  by?: ChunkBy;
}

/** A part of a text. */
export interface Chunk {
  /** text.slice(start, end). */
  readonly text: string;
  /** UTF-16 offsets into the text. */
  readonly start: number;
  readonly end: number;
  /** What a model sees of it, special tokens counted. */
  readonly tokens: number;
  /** With `by: 'markdown'`: the headings it begins under, outermost first, one that it begins with included. */
  readonly headings?: readonly string[];
}

export const chunkOptionNames = ['maxTokens', 'overlap', 'by'] as const satisfies readonly (keyof ChunkOptions)[];
export const chunkWays: readonly ChunkBy[] = ['paragraph', 'sentence', 'word', 'markdown', 'code'];

/** Throws TypeError or RangeError for an option that is unknown or has a value it cannot have. */
export function checkChunkOptions(
  where: string,
  options: ChunkOptions,
  model: { readonly maxTokens: number; readonly specialTokens: number },
): Required<ChunkOptions> {
  if (typeof options !== 'object' || (options as unknown) === null)
    throw new TypeError(`${where}: options must be an object, not ${show(options)}`);
  rejectUnknownKeys(options, chunkOptionNames, where);
  const { maxTokens = model.maxTokens, overlap = 0, by = 'paragraph' } = options;
  if (maxTokens !== Infinity && !Number.isSafeInteger(maxTokens))
    throw new RangeError(`${where}: maxTokens must be a whole number or Infinity, not ${show(maxTokens)}`);
  const least = model.specialTokens + 1;
  if (maxTokens < least)
    throw new RangeError(
      `${where}: maxTokens is ${maxTokens}, but must be at least ${least}: the special tokens alone are ${least - 1}`,
    );
  if (!Number.isSafeInteger(overlap) || overlap < 0)
    throw new RangeError(`${where}: overlap must be a whole number from 0, not ${show(overlap)}`);
  if (overlap > (maxTokens - model.specialTokens) / 2)
    throw new RangeError(
      `${where}: overlap is ${overlap}, more than half of the ${maxTokens - model.specialTokens} tokens that maxTokens ` +
        'leaves beside special tokens',
    );
  if (!chunkWays.includes(by))
    throw new RangeError(`${where}: by must be ${chunkWays.map((way) => `'${way}'`).join(', ')}, not ${show(by)}`);
  return { maxTokens, overlap, by };
}
