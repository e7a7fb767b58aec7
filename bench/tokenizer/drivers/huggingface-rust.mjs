/** tokenizers, Hugging Face's own binding of the Rust implementation. */
import { join } from 'node:path';
import tokenizers from 'tokenizers';

/** @type {import('./driver.mjs').Driver} */
export const huggingfaceRust = {
  name: 'tokenizers',
  async load(modelDirectory) {
    const tokenizer = tokenizers.Tokenizer.fromFile(join(modelDirectory, 'tokenizer.json'));
    tokenizer.disablePadding();
    tokenizer.disableTruncation();
    return [
      {
        name: 'tokenizers (Rust), encodeBatch',
        run: async (texts) => {
          for (const encoding of await tokenizer.encodeBatch(texts)) encoding.getIds();
        },
        ids: async (texts) => (await tokenizer.encodeBatch(texts)).map((encoding) => encoding.getIds()),
      },
      {
        name: 'tokenizers (Rust), encode one by one',
        run: async (texts) => {
          for (const text of texts) (await tokenizer.encode(text, null)).getIds();
        },
        ids: (texts) => Promise.all(texts.map(async (text) => (await tokenizer.encode(text, null)).getIds())),
      },
    ];
  },
};
