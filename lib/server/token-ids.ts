/**
 * Texts that come as token ids.
 *
 * Ids are turned into a text, that text is tokenised again, and only if the same ids come out is it embedded: what the
 * model then sees is exactly what was asked for. Every sequence that this model's tokenizer can make passes. Ids of
 * another tokenizer (cl100k for OpenAI's models, say) would be embedded as other words; all but the shortest of such
 * sequences fail the comparison and are refused.
 */
import type { NativeTokenizerConfig } from '../../types/binding.js';
import type { Tokenizer } from '../tokenizer/tokenizer.js';
import { RequestFailure } from './failures.js';

export class TokenIdReader {
  readonly #tokenizer: Tokenizer;
  readonly #tokens: ReadonlyMap<number, string>;
  readonly #continuing: string;
  readonly #prefix: Int32Array;
  readonly #suffix: Int32Array;
  /** What spells a token's part of the text, where words are not parted by blanks. */
  readonly #spelled: ((tokens: string) => string) | undefined;

  /** @param config of the tokenizer */
  constructor(tokenizer: Tokenizer, config: NativeTokenizerConfig) {
    this.#tokenizer = tokenizer;
    const tokens = new Map<number, string>();
    for (const [i, token] of config.vocabularyTokens.entries()) tokens.set(config.vocabularyIds[i] ?? -1, token);
    for (const { id, content } of config.addedTokens) tokens.set(id, content);
    this.#tokens = tokens;
    this.#continuing = config.continuingSubwordPrefix;
    this.#prefix = config.prefixIds;
    this.#suffix = config.suffixIds;
    if (config.model !== 'WordPiece') this.#spelled = config.byteLevel ? fromByteLetters : fromMetaspace(config);
  }

  /** The ids the tokenizer puts around a text, such as those of [CLS] and [SEP]. */
  isSpecial(id: number): boolean {
    return this.#prefix.includes(id) || this.#suffix.includes(id);
  }

  /**
   * The text that has these ids, with or without the special tokens around them.
   *
   * Throws RequestFailure 'invalid' where there is none. `field` names the ids in its message: `input[3]`.
   */
  text(ids: readonly number[], field: string): string {
    const inner = this.#withoutSpecialTokens(ids);
    let text = '';
    let spelled = '';
    for (const id of inner) {
      const token = this.#tokens.get(id);
      if (token === undefined) throw refusal(field, `${id} is no token of this model`);
      spelled += token;
      const continues = token.startsWith(this.#continuing) && text !== '';
      text += continues ? token.slice(this.#continuing.length) : `${text === '' ? '' : ' '}${token}`;
    }
    if (this.#spelled !== undefined) text = this.#spelled(spelled);
    const again = this.#tokenizer.encode(text, { maxTokens: Infinity, addSpecialTokens: false }).ids;
    const difference = inner.findIndex((id, i) => again[i] !== id);
    if (difference !== -1) throw refusal(field, `no text has them (from the one at position ${difference} on)`);
    if (again.length !== inner.length) throw refusal(field, 'no text has them');
    return text;
  }

  #withoutSpecialTokens(ids: readonly number[]): readonly number[] {
    const [prefix, suffix] = [this.#prefix, this.#suffix];
    const hasPrefix = prefix.length > 0 && prefix.every((id, i) => ids[i] === id);
    const begin = hasPrefix ? prefix.length : 0;
    const rest = ids.length - suffix.length;
    const hasSuffix = suffix.length > 0 && rest >= begin && suffix.every((id, i) => ids[rest + i] === id);
    return ids.slice(begin, hasSuffix ? rest : ids.length);
  }
}

function fromByteLetters(letters: string): string {
  return Buffer.from(Array.from(letters, (letter) => byteOfLetter.get(letter) ?? 0x3f)).toString();
}

/** GPT-2's letters: printable Latin-1 stands for itself, the other bytes, in order, for U+0100 onwards. */
const byteOfLetter = new Map<string, number>();
for (let byte = 0, next = 0x100; byte < 256; byte++) {
  const isOwn = (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte !== 0xad);
  byteOfLetter.set(String.fromCodePoint(isOwn ? byte : next++), byte);
}

function fromMetaspace({ preTokenizers }: NativeTokenizerConfig): (tokens: string) => string {
  const metaspace = preTokenizers.find((step) => step.type === 'Metaspace');
  return (tokens) => {
    const text = tokens.replaceAll(metaspace?.text ?? '▁', ' ');
    return metaspace?.prepend === 'never' ? text : text.replace(/^ /, '');
  };
}

function refusal(field: string, why: string): RequestFailure {
  return new RequestFailure(
    'invalid',
    `${field}: these token ids are not of this model's tokenizer: ${why}. Send the text itself ` +
      "(LangChain for Python: check_embedding_ctx_length=False), or ids of the model's own tokenizer",
    { field: field.replace(/\[.*$/, '') },
  );
}
