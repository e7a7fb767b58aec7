/** The model's own word embeddings, looked up and averaged: what it knows before its first layer. */
import { join } from 'node:path';
import { readSafetensors } from '../safetensors.mjs';

/**
 * @param {() => Promise<string>} directory of a model with model.safetensors
 * @returns {import('./retriever.mjs').Retriever}
 */
export function wordVectors(directory) {
  return {
    name: 'mean of word vectors',
    load: async () => {
      const { Tokenizer } = await import('../../../dist/index.js');
      const path = await directory();
      const tokenizer = await Tokenizer.fromDirectory(path);
      const tensors = readSafetensors(join(path, 'model.safetensors'));
      const table = [...tensors].find(([name]) => name.endsWith('embeddings.word_embeddings.weight'))?.[1];
      if (table === undefined) throw new Error(`${path}/model.safetensors has no embeddings.word_embeddings.weight`);
      const dimensions = table.dims[1];
      return {
        embed: async (texts) => ({ data: meanRows(table.values, dimensions, idsOf(tokenizer, texts)), dimensions }),
        close: async () => undefined,
        info: { dimensions },
      };
    },
  };
}

/** @param {any} tokenizer @param {string[]} texts @returns {Int32Array[]} without [CLS] and [SEP] */
function idsOf(tokenizer, texts) {
  return texts.map((text) => tokenizer.encode(text, { addSpecialTokens: false }).ids);
}

/**
 * @param {Float32Array} table
 * @param {number} dimensions
 * @param {Int32Array[]} ids of each text
 */
export function meanRows(table, dimensions, ids) {
  const data = new Float32Array(ids.length * dimensions);
  for (const [row, tokens] of ids.entries()) {
    for (const token of tokens) {
      for (let i = 0; i < dimensions; i++) data[row * dimensions + i] += table[token * dimensions + i] / tokens.length;
    }
  }
  return data;
}
