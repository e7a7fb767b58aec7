/** Texts, or pairs of a query and a text, to the tensors that a graph takes. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Tokenizer } from '@huggingface/tokenizers';

/** @typedef {string | [query: string, text: string]} Item */

/**
 * @param {string} directory of the model
 * @param {number} maxTokens
 * @param {boolean} [special] whether special tokens are put around a text
 */
export function inputsOf(directory, maxTokens, special = true) {
  const read = (/** @type {string} */ name) => JSON.parse(readFileSync(join(directory, name), 'utf8'));
  const tokenizer = new Tokenizer(read('tokenizer.json'), read('tokenizer_config.json'));
  const { pad_token_id: padId = 0 } = read('config.json');

  /**
   * @param {Item} item
   * @returns {{ ids: number[], types: number[] }}
   */
  const encode = (item) => {
    const [first, pair] = typeof item === 'string' ? [item, undefined] : item;
    const { ids, token_type_ids: types = [] } = tokenizer.encode(first, {
      text_pair: pair,
      return_token_type_ids: true,
      add_special_tokens: special,
    });
    const cut = (/** @type {number[]} */ values) =>
      values.length <= maxTokens
        ? values
        : special
          ? [...values.slice(0, maxTokens - 1), values.at(-1)]
          : values.slice(0, maxTokens);
    return { ids: cut(ids), types: cut(types.length === ids.length ? types : ids.map(() => 0)) };
  };

  return {
    encode,
    count: (/** @type {Item} */ item) => encode(item).ids.length,
    /**
     * A padded batch, as the runtime's tensors.
     *
     * @param {ReturnType<typeof encode>[]} rows
     * @param {any} Tensor of the runtime
     * @param {readonly string[]} names the inputs that the graph has
     */
    feeds(rows, Tensor, names) {
      const longest = Math.max(...rows.map(({ ids }) => ids.length));
      const padded = (
        /** @type {number} */ padding,
        /** @type {(row: ReturnType<typeof encode>) => number[]} */ valuesOf,
      ) => {
        const data = new BigInt64Array(rows.length * longest).fill(BigInt(padding));
        rows.forEach((row, r) => valuesOf(row).forEach((value, t) => (data[r * longest + t] = BigInt(value))));
        return new Tensor('int64', data, [rows.length, longest]);
      };
      const all = {
        input_ids: padded(padId, ({ ids }) => ids),
        attention_mask: padded(0, ({ ids }) => ids.map(() => 1)),
        token_type_ids: padded(0, ({ types }) => types),
      };
      return { longest, feeds: Object.fromEntries(Object.entries(all).filter(([name]) => names.includes(name))) };
    },
  };
}
