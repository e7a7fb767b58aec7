/** What `session.embed` takes: its options, their defaults, and what is refused. */
import { types } from 'node:util';
import { checkDeadline, type DeadlineOptions } from '../cancellation/deadline.js';
import { rejectUnknownKeys } from '../arguments/known-names.js';
import { show } from '../arguments/show.js';
import { checkPrompt, type Prompt } from './prompt.js';

/** How token vectors become a row: their mean, the first token's vector, or each token's vector by itself. */
export type Pooling = 'mean' | 'cls' | 'none';

/** Options of `session.embed`. */
export interface EmbedOptions extends DeadlineOptions {
  /** @default what the model was trained with */
  pooling?: Pooling;
  /**
   * What comes before each text: a name of the model's own prompts, such as `'query'` or `'passage'`
   * (`session.info.prompts`), or any text as `{ text: 'query: ' }`. @default nothing
   */
  prompt?: Prompt;
  /** Scale each row to length 1. @default true */
  normalize?: boolean;
  /** Cut texts that are longer than the model takes; `false`: reject with ERR_TEXT_TOO_LONG instead. @default true */
  truncate?: boolean;
  /**
   * Keep only the first so many values of each row, for models trained for it (Matryoshka); rows are normalised after
   * the cut. @default all
   */
  dimensions?: number;
  /**
   * What becomes of the call when a text fails by itself: it is too long and `truncate` is false, or the model makes no
   * finite numbers of it. `'throw'`: the call rejects with the first such error, whose `details.index` is the text's
   * place. `'continue'`: the other texts get their rows, that of the failed one is NaN (with `pooling: 'none'` it has no
   * rows), and `embeddings.errors` tells why.
   * @default 'throw'
   */
  onError?: 'throw' | 'continue';
}

export const embedOptionNames = [
  'pooling',
  'prompt',
  'normalize',
  'truncate',
  'dimensions',
  'onError',
  'signal',
  'timeout',
] as const satisfies readonly (keyof EmbedOptions)[];

/** The texts as a list. Throws TypeError naming the one that is not a string. */
export function checkTexts(where: string, texts: unknown): readonly string[] {
  if (typeof texts === 'string') return [texts];
  if (!Array.isArray(texts))
    throw new TypeError(`${where}: expected a string or an array of strings, not ${show(texts)}`);
  for (const [i, text] of texts.entries() as IterableIterator<[number, unknown]>) {
    if (typeof text !== 'string') throw new TypeError(`${where}: texts[${i}] must be a string, not ${show(text)}`);
  }
  // A proxy, such as a reactive framework makes, is no array to the native side.
  return types.isProxy(texts) ? Array.from(texts as string[]) : (texts as readonly string[]);
}

/** Throws TypeError or RangeError for the first option that is unknown or has a value it cannot have. */
export function checkEmbedOptions(where: string, options: EmbedOptions): void {
  rejectUnknownKeys(options, embedOptionNames, where);
  checkPrompt(where, options.prompt);
  const { pooling, normalize, truncate, dimensions, onError } = options;
  if (pooling !== undefined && !['mean', 'cls', 'none'].includes(pooling)) {
    throw new RangeError(`${where}: pooling must be 'mean', 'cls' or 'none', not ${show(pooling)}`);
  }
  for (const [name, value] of Object.entries({ normalize, truncate })) {
    if (value !== undefined && typeof value !== 'boolean') {
      throw new TypeError(`${where}: ${name} must be true or false, not ${show(value)}`);
    }
  }
  if (dimensions !== undefined && !(Number.isInteger(dimensions) && dimensions >= 1)) {
    throw new RangeError(`${where}: dimensions must be a whole number from 1, not ${show(dimensions)}`);
  }
  if (onError !== undefined && !['throw', 'continue'].includes(onError)) {
    throw new RangeError(`${where}: onError must be 'throw' or 'continue', not ${show(onError)}`);
  }
  checkDeadline(where, options);
}
