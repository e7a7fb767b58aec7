/** The texts of the cases, their tokens counted by Hugging Face's tokenizer. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Tokenizer } from '@huggingface/tokenizers';
import { countedTexts } from './counted-texts.mjs';

/**
 * @param {string} modelDirectory its tokenizer counts the tokens
 * @param {string | undefined} corpusDirectory
 */
export function textSource(modelDirectory, corpusDirectory) {
  const read = (/** @type {string} */ name) => JSON.parse(readFileSync(join(modelDirectory, name), 'utf8'));
  const tokenizer = new Tokenizer(read('tokenizer.json'), read('tokenizer_config.json'));
  return countedTexts(modelDirectory, corpusDirectory, (text) => tokenizer.encode(text).ids.length);
}
