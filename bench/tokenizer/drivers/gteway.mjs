/** gteway from JavaScript: the strings copied into native memory, the ids back. */
import { Tokenizer } from '../../../dist/index.js';

const options = { maxTokens: Infinity };

/** @type {import('./driver.mjs').Driver} */
export const gteway = {
  name: 'gteway',
  async load(modelDirectory) {
    const tokenizer = await Tokenizer.fromDirectory(modelDirectory);
    return [
      {
        name: 'gteway, encodeBatch',
        run: (texts) => void tokenizer.encodeBatch(texts, options),
        ids: (texts) => {
          const { ids, offsets } = tokenizer.encodeBatch(texts, options);
          return texts.map((_, i) => ids.subarray(offsets[i], offsets[i + 1]));
        },
      },
      {
        name: 'gteway, encode one by one',
        run: (texts) => {
          for (const text of texts) tokenizer.encode(text, options);
        },
        ids: (texts) => texts.map((text) => tokenizer.encode(text, options).ids),
      },
      {
        name: 'gteway, count one by one',
        run: (texts) => {
          for (const text of texts) tokenizer.count(text);
        },
        ids: (texts) => texts.map((text) => tokenizer.encode(text, options).ids),
      },
    ];
  },
};
