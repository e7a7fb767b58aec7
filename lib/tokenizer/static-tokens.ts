/** What of a text the table of a static model is asked for: fewer tokens than an encoder is given. */
import type { NativeTokenizerConfig } from '../../types/binding.js';
import { model2vecTokens, type StaticKind, unlimitedTokens } from '../models/static-model.js';

/** The tokenizer as a static model of that kind uses it: nothing is put around a text. */
export function forStaticModel(config: NativeTokenizerConfig, kind: StaticKind): NativeTokenizerConfig {
  const none = new Int32Array();
  const plain = { ...config, prefixIds: none, suffixIds: none, pairIds: none, pairTypeIds: none };
  if (kind !== 'model2vec') return plain;
  return { ...plain, leftOutId: unknownId(config), charsPerToken: medianTokenLength(config) };
}

/** How many tokens such a model reads of a text. */
export function staticTokenLimit(kind: StaticKind): number {
  return kind === 'model2vec' ? model2vecTokens : unlimitedTokens;
}

/** The reference asks WordPiece and BPE for their unknown token; Unigram's it does not find, and keeps. */
function unknownId({ model, unkToken, vocabularyTokens, vocabularyIds }: NativeTokenizerConfig): number {
  if (model === 'Unigram' || unkToken === '') return -1;
  // Where a token comes twice, the last one is meant.
  return vocabularyIds[vocabularyTokens.lastIndexOf(unkToken)] ?? -1;
}

/** In characters, over the whole vocabulary, added tokens included; between two lengths the lower whole number. */
function medianTokenLength({ vocabularyTokens, addedTokens }: NativeTokenizerConfig): number {
  const tokens = new Set([...vocabularyTokens, ...addedTokens.map(({ content }) => content)]);
  const lengths = Uint32Array.from(tokens, (token) => Array.from(token).length).sort();
  const middle = lengths.length >> 1;
  const upper = lengths[middle] ?? 0;
  return lengths.length % 2 === 1 ? upper : Math.floor(((lengths[middle - 1] ?? upper) + upper) / 2);
}
