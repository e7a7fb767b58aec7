/** @huggingface/tokenizers, the JavaScript implementation that transformers.js uses. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Tokenizer } from '@huggingface/tokenizers';

/** @type {import('./driver.mjs').Driver} */
export const huggingfaceJs = {
  name: '@huggingface/tokenizers',
  async load(modelDirectory) {
    const read = (/** @type {string} */ name) => JSON.parse(readFileSync(join(modelDirectory, name), 'utf8'));
    const tokenizer = new Tokenizer(read('tokenizer.json'), read('tokenizer_config.json'));
    return [
      {
        name: '@huggingface/tokenizers (JavaScript)',
        run: (texts) => {
          for (const text of texts) tokenizer.encode(text);
        },
        ids: (texts) => texts.map((text) => tokenizer.encode(text).ids),
      },
    ];
  },
};
