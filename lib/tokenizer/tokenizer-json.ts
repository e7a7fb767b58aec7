/**
 * Reads tokenizer.json, Hugging Face's description of a tokenizer, and hands its parts over as plain data.
 *
 * What it says about padding and truncation is ignored: those are the caller's business, and published files are often
 * wrong about them. Anything else that would change a token id is either understood or refused by name.
 */
import type { NativeAddedToken, NativeNormalizer, NativeTokenizerConfig } from '../../types/binding.js';
import { GtewayError } from '../errors.js';
import { JsonFields } from './json-fields.js';
import { readModel } from './model.js';
import { readNormalizer } from './normalizer.js';
import { readPostProcessor } from './post-processor.js';
import { readPreTokenizer } from './pre-tokenizer.js';

/** Parses and validates the text of a tokenizer.json. `source` names it in errors. */
export function parseTokenizerJson(text: string, source = 'tokenizer.json'): NativeTokenizerConfig {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new GtewayError('ERR_TOKENIZER_INVALID', `${source} is not JSON: ${(cause as Error).message}`, { cause });
  }
  return new Reader(source).read(json);
}

class Reader {
  readonly #fields: JsonFields;

  constructor(source: string) {
    this.#fields = new JsonFields(source);
  }

  read(json: unknown): NativeTokenizerConfig {
    const root = this.#fields.object(json, 'the file');
    if (root.version !== undefined && root.version !== '1.0')
      throw this.#fields.unsupported('version', JSON.stringify(root.version));
    const model = readModel(root.model, this.#fields);
    const normalizers = readNormalizer(root.normalizer, this.#fields);
    const preTokenizers = readPreTokenizer(root.pre_tokenizer, this.#fields);
    const [normalizer] = normalizers;
    const isBert = (normalizer === undefined || normalizer.type === 'BertNormalizer') && normalizers.length <= 1;
    const byteLevels = preTokenizers.filter(({ type }) => type === 'ByteLevel').length;
    return {
      ...model,
      bert:
        model.model === 'WordPiece' &&
        isBert &&
        preTokenizers.length === 1 &&
        preTokenizers[0]?.type === 'BertPreTokenizer',
      byteLevel: byteLevels === 1 && preTokenizers.at(-1)?.type === 'ByteLevel',
      normalizers,
      preTokenizers,
      cleanText: false,
      handleChineseChars: false,
      stripAccents: false,
      lowercase: false,
      ...(isBert ? bertSwitches(normalizer) : {}),
      ...readPostProcessor(root.post_processor, this.#fields),
      addedTokens: this.#addedTokens(root.added_tokens, model),
      leftOutId: -1,
      charsPerToken: 0,
    };
  }

  /**
   * Ids of added tokens are the vocabulary's, or count on from its size: the reference reads the file's own `id` only to
   * warn when it differs, and so must anything that is to give the same ids.
   */
  #addedTokens(
    value: unknown,
    model: { vocabularyTokens: readonly string[]; vocabularyIds: Int32Array },
  ): NativeAddedToken[] {
    const vocabulary = new Map(model.vocabularyTokens.map((token, i) => [token, model.vocabularyIds[i] ?? 0]));
    const idOf = new Map<string, number>();
    const ofId = new Map<number, NativeAddedToken>();
    let next = model.vocabularyTokens.length;
    this.#fields.array(value ?? [], 'added_tokens').forEach((item, i) => {
      const token = this.#addedToken(item, `added_tokens[${i}]`);
      if (token.content === '') return;
      const id = idOf.get(token.content) ?? vocabulary.get(token.content) ?? next++;
      idOf.set(token.content, id);
      // An id stands for one token, the last.
      ofId.set(id, { ...token, id });
    });
    return [...ofId.values()];
  }

  #addedToken(item: unknown, where: string): NativeAddedToken {
    const token = this.#fields.object(item, where);
    const flag = (name: string) => this.#fields.boolean(token[name], `${where}.${name}`);
    return {
      content: this.#fields.string(token.content, `${where}.content`),
      id: this.#fields.id(token.id, `${where}.id`),
      singleWord: flag('single_word'),
      leftStrip: flag('lstrip'),
      rightStrip: flag('rstrip'),
      normalized: flag('normalized'),
      special: flag('special'),
    };
  }
}

/** The four switches of BertNormalizer. */
function bertSwitches(normalizer: NativeNormalizer | undefined) {
  if (normalizer?.type !== 'BertNormalizer') return {};
  const { cleanText, handleChineseChars, stripAccents, lowercase } = normalizer;
  return { cleanText, handleChineseChars, stripAccents, lowercase };
}
