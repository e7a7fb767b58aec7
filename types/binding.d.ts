/**
 * The boundary between lib/ and the addon, written down. lib/native/binding.ts is the only file that loads it.
 *
 * Arguments are positional, already validated and already defaulted: options objects never cross.
 */

/** A token that is matched in the text itself, as plain data. */
export interface NativeAddedToken {
  content: string;
  id: number;
  singleWord: boolean;
  leftStrip: boolean;
  rightStrip: boolean;
  normalized: boolean;
  special: boolean;
}

/** What lib/tokenizer-json.ts makes of a tokenizer.json. */
export interface NativeTokenizerConfig {
  vocabularyTokens: string[];
  /** Beside vocabularyTokens; may have holes and duplicates. */
  vocabularyIds: Int32Array;
  unkToken: string;
  continuingSubwordPrefix: string;
  maxInputCharsPerWord: number;
  cleanText: boolean;
  handleChineseChars: boolean;
  stripAccents: boolean;
  lowercase: boolean;
  /** Special tokens before and behind a text. */
  prefixIds: Int32Array;
  suffixIds: Int32Array;
  /** Where two have the same content, the first is matched. */
  addedTokens: NativeAddedToken[];
}

export interface NativeTokenizer {
  /** `maxTokens` may be Infinity. */
  encode(text: string, maxTokens: number, addSpecialTokens: boolean): { ids: Int32Array; truncated: boolean };
  encodeBatch(
    texts: readonly string[],
    maxTokens: number,
    addSpecialTokens: boolean,
  ): { ids: Int32Array; offsets: Uint32Array; truncated: boolean[] };
  count(text: string, addSpecialTokens: boolean): number;
  /** Empty where no token has this id. */
  token(id: number): string;
  /** How many ids the post-processor adds to a text. */
  readonly specialTokensAdded: number;
}

/** What the .node exports. */
export interface NativeBinding {
  /** The package version the addon was compiled from. */
  readonly version: string;
  readonly NativeTokenizer: new (config: NativeTokenizerConfig) => NativeTokenizer;
}
