/**
 * Reads tokenizer.json, Hugging Face's description of a tokenizer, and hands its parts over as plain data.
 *
 * What it says about padding and truncation is ignored: those are the caller's business, and published files are often
 * wrong about them. Anything else that would change a token id is either understood or refused by name.
 */
import type { NativeAddedToken, NativeTokenizerConfig } from '../../types/binding.js';
import { GtewayError } from '../errors.js';
import { JsonFields, maxInt32 } from './json-fields.js';
import { readPostProcessor } from './post-processor.js';

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
    const model = this.#model(root.model);
    this.#preTokenizer(root.pre_tokenizer);
    return {
      ...model,
      ...this.#normalizer(root.normalizer),
      ...readPostProcessor(root.post_processor, this.#fields),
      addedTokens: this.#addedTokens(root.added_tokens, model),
    };
  }

  #model(value: unknown) {
    const model = this.#fields.object(value, 'model');
    // Files of before 0.11 leave the model's type out; its fields tell it.
    const type = model.type ?? ('continuing_subword_prefix' in model ? 'WordPiece' : undefined);
    if (type !== 'WordPiece') throw this.#fields.unsupported('model', type);
    const vocab = this.#fields.object(model.vocab, 'model.vocab');
    const vocabularyTokens = Object.keys(vocab);
    const vocabularyIds = new Int32Array(vocabularyTokens.length);
    vocabularyTokens.forEach((token, i) => {
      vocabularyIds[i] = this.#fields.id(vocab[token], `model.vocab[${JSON.stringify(token)}]`);
    });
    const unkToken = this.#fields.string(model.unk_token, 'model.unk_token');
    if (!Object.hasOwn(vocab, unkToken))
      throw this.#fields.invalid('model.unk_token', `${JSON.stringify(unkToken)}, which is not in the vocabulary`);
    return {
      vocabularyTokens,
      vocabularyIds,
      unkToken,
      continuingSubwordPrefix: this.#fields.string(
        model.continuing_subword_prefix ?? '##',
        'model.continuing_subword_prefix',
      ),
      // The reference counts in 64 bits; no text has more characters than this.
      maxInputCharsPerWord: Math.min(
        this.#fields.count(model.max_input_chars_per_word ?? 100, 'model.max_input_chars_per_word'),
        maxInt32,
      ),
    };
  }

  #normalizer(value: unknown) {
    if (value === undefined || value === null)
      return { cleanText: false, handleChineseChars: false, stripAccents: false, lowercase: false };
    const normalizer = this.#fields.object(value, 'normalizer');
    if (normalizer.type !== 'BertNormalizer') throw this.#fields.unsupported('normalizer', normalizer.type);
    const lowercase = this.#fields.boolean(normalizer.lowercase ?? true, 'normalizer.lowercase');
    return {
      cleanText: this.#fields.boolean(normalizer.clean_text ?? true, 'normalizer.clean_text'),
      handleChineseChars: this.#fields.boolean(
        normalizer.handle_chinese_chars ?? true,
        'normalizer.handle_chinese_chars',
      ),
      // Left open, accents go when the case goes, as in the original BERT.
      stripAccents: this.#fields.boolean(normalizer.strip_accents ?? lowercase, 'normalizer.strip_accents'),
      lowercase,
    };
  }

  #preTokenizer(value: unknown): void {
    if (value === undefined || value === null)
      throw this.#fields.unsupported('pre_tokenizer', 'none (every text one word)');
    const { type } = this.#fields.object(value, 'pre_tokenizer');
    if (type !== 'BertPreTokenizer') throw this.#fields.unsupported('pre_tokenizer', type);
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
    let next = vocabulary.size;
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
