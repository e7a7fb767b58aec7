/** What `reranker.rerank` and `reranker.score` take: their options, their defaults, and what is refused. */
import { rejectUnknownKeys } from '../arguments/known-names.js';
import { show } from '../arguments/show.js';
import { checkDeadline, type DeadlineOptions } from '../cancellation/deadline.js';

/** Options of `reranker.score`. */
export interface ScoreOptions extends DeadlineOptions {
  /**
   * What the model's logits are put through. `'sigmoid'` makes them numbers between 0 and 1 in the same order; `'none'`
   * leaves them as they are.
   * @default what the model's authors say: `reranker.info.activation`
   */
  activation?: 'sigmoid' | 'none';
  /**
   * Cut texts that are longer than the model takes together with their query, which is never cut; `false`: reject with
   * ERR_TEXT_TOO_LONG instead. @default true
   */
  truncate?: boolean;
}

/** Options of `reranker.rerank`. */
export interface RerankOptions extends ScoreOptions {
  /** Only so many, the best ones. @default all */
  topK?: number;
  /** Give each result its text. @default false */
  returnTexts?: boolean;
}

const scoreOptionNames = [
  'activation',
  'truncate',
  'signal',
  'timeout',
] as const satisfies readonly (keyof ScoreOptions)[];
export const rerankOptionNames = [
  ...scoreOptionNames,
  'topK',
  'returnTexts',
] as const satisfies readonly (keyof RerankOptions)[];

/** Throws TypeError or RangeError for the first option that is unknown or has a value it cannot have. */
export function checkScoreOptions(where: string, options: ScoreOptions): void {
  rejectUnknownKeys(options, scoreOptionNames, where);
  checkValues(where, options);
}

/** Likewise. */
export function checkRerankOptions(where: string, options: RerankOptions): void {
  rejectUnknownKeys(options, rerankOptionNames, where);
  checkValues(where, options);
  const { topK } = options;
  if (topK !== undefined && !(Number.isInteger(topK) && topK >= 1)) {
    throw new RangeError(`${where}: topK must be a whole number from 1, not ${show(topK)}`);
  }
}

function checkValues(where: string, options: RerankOptions): void {
  const { activation, truncate, returnTexts } = options;
  if (activation !== undefined && !['sigmoid', 'none'].includes(activation)) {
    throw new RangeError(`${where}: activation must be 'sigmoid' or 'none', not ${show(activation)}`);
  }
  for (const [name, value] of Object.entries({ truncate, returnTexts })) {
    if (value !== undefined && typeof value !== 'boolean') {
      throw new TypeError(`${where}: ${name} must be true or false, not ${show(value)}`);
    }
  }
  checkDeadline(where, options);
}

export function checkQuery(where: string, query: unknown): void {
  if (typeof query !== 'string') throw new TypeError(`${where}: query must be a string, not ${show(query)}`);
}

/** Throws TypeError naming the pair that is not `[query, text]`. */
export function checkPairs(where: string, pairs: unknown): readonly (readonly [string, string])[] {
  if (!Array.isArray(pairs)) {
    throw new TypeError(`${where}: expected an array of [query, text] pairs, not ${show(pairs)}`);
  }
  for (const [i, pair] of pairs.entries() as IterableIterator<[number, unknown]>) {
    const isPair = Array.isArray(pair) && pair.length === 2 && pair.every((text) => typeof text === 'string');
    if (!isPair) throw new TypeError(`${where}: pairs[${i}] must be [query, text], two strings, not ${show(pair)}`);
  }
  return pairs as (readonly [string, string])[];
}
