/**
 * Reads tokenizer.json, Hugging Face's description of a tokenizer, and hands its parts over as plain data.
 *
 * What it says about padding and truncation is ignored: those are the caller's business, and published files are often
 * wrong about them. Anything else that would change a token id is either understood or refused by name.
 */
import type { NativeAddedToken, NativeTokenizerConfig } from '../../types/binding.js';
import { GtewayError } from '../errors.js';

type Json = Readonly<Record<string, unknown>>;

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

const maxInt32 = 2 ** 31 - 1;

class Reader {
  readonly #source: string;

  constructor(source: string) {
    this.#source = source;
  }

  read(json: unknown): NativeTokenizerConfig {
    const root = this.#object(json, 'the file');
    if (root.version !== undefined && root.version !== '1.0')
      throw this.#unsupported('version', JSON.stringify(root.version));
    const model = this.#model(root.model);
    this.#preTokenizer(root.pre_tokenizer);
    return {
      ...model,
      ...this.#normalizer(root.normalizer),
      ...this.#postProcessor(root.post_processor),
      addedTokens: this.#addedTokens(root.added_tokens, model),
    };
  }

  #model(value: unknown) {
    const model = this.#object(value, 'model');
    // Files of before 0.11 leave the model's type out; its fields tell it.
    const type = model.type ?? ('continuing_subword_prefix' in model ? 'WordPiece' : undefined);
    if (type !== 'WordPiece') throw this.#unsupported('model', this.#typeName(type));
    const vocab = this.#object(model.vocab, 'model.vocab');
    const vocabularyTokens = Object.keys(vocab);
    const vocabularyIds = new Int32Array(vocabularyTokens.length);
    vocabularyTokens.forEach((token, i) => {
      vocabularyIds[i] = this.#id(vocab[token], `model.vocab[${JSON.stringify(token)}]`);
    });
    const unkToken = this.#string(model.unk_token, 'model.unk_token');
    if (!Object.hasOwn(vocab, unkToken))
      throw this.#invalid('model.unk_token', `${JSON.stringify(unkToken)}, which is not in the vocabulary`);
    return {
      vocabularyTokens,
      vocabularyIds,
      unkToken,
      continuingSubwordPrefix: this.#string(model.continuing_subword_prefix ?? '##', 'model.continuing_subword_prefix'),
      // The reference counts in 64 bits; no text has more characters than this.
      maxInputCharsPerWord: Math.min(
        this.#count(model.max_input_chars_per_word ?? 100, 'model.max_input_chars_per_word'),
        maxInt32,
      ),
    };
  }

  #normalizer(value: unknown) {
    if (value === undefined || value === null)
      return { cleanText: false, handleChineseChars: false, stripAccents: false, lowercase: false };
    const normalizer = this.#object(value, 'normalizer');
    if (normalizer.type !== 'BertNormalizer') throw this.#unsupported('normalizer', this.#typeName(normalizer.type));
    const lowercase = this.#boolean(normalizer.lowercase ?? true, 'normalizer.lowercase');
    return {
      cleanText: this.#boolean(normalizer.clean_text ?? true, 'normalizer.clean_text'),
      handleChineseChars: this.#boolean(normalizer.handle_chinese_chars ?? true, 'normalizer.handle_chinese_chars'),
      // Left open, accents go when the case goes, as in the original BERT.
      stripAccents: this.#boolean(normalizer.strip_accents ?? lowercase, 'normalizer.strip_accents'),
      lowercase,
    };
  }

  #preTokenizer(value: unknown): void {
    if (value === undefined || value === null) throw this.#unsupported('pre_tokenizer', 'none (every text one word)');
    const { type } = this.#object(value, 'pre_tokenizer');
    if (type !== 'BertPreTokenizer') throw this.#unsupported('pre_tokenizer', this.#typeName(type));
  }

  #postProcessor(value: unknown) {
    const none = { prefixIds: new Int32Array(), suffixIds: new Int32Array() };
    if (value === undefined || value === null) return none;
    const processor = this.#object(value, 'post_processor');
    switch (processor.type) {
      case 'BertProcessing':
        return {
          prefixIds: Int32Array.of(this.#tokenAndId(processor.cls, 'post_processor.cls')),
          suffixIds: Int32Array.of(this.#tokenAndId(processor.sep, 'post_processor.sep')),
        };
      case 'TemplateProcessing':
        return this.#template(processor);
      default:
        throw this.#unsupported('post_processor', this.#typeName(processor.type));
    }
  }

  #template(processor: Json) {
    const special = this.#object(processor.special_tokens ?? {}, 'post_processor.special_tokens');
    const prefix: number[] = [];
    const suffix: number[] = [];
    let texts = 0;
    this.#array(processor.single, 'post_processor.single').forEach((value, i) => {
      const where = `post_processor.single[${i}]`;
      const piece = this.#object(value, where);
      if ('Sequence' in piece) {
        const { id } = this.#object(piece.Sequence, `${where}.Sequence`);
        if (id !== 'A') throw this.#invalid(`${where}.Sequence.id`, `${JSON.stringify(id)}; a single text is "A"`);
        if (++texts > 1) throw this.#unsupported('post_processor', 'TemplateProcessing that repeats the text');
        return;
      }
      const { id } = this.#object(piece.SpecialToken, `${where}.SpecialToken`);
      const name = this.#string(id, `${where}.SpecialToken.id`);
      if (!Object.hasOwn(special, name))
        throw this.#invalid(
          where,
          `the special token ${JSON.stringify(name)}, which post_processor.special_tokens lacks`,
        );
      const at = `post_processor.special_tokens[${JSON.stringify(name)}]`;
      const { ids } = this.#object(special[name], at);
      const target = texts === 0 ? prefix : suffix;
      this.#array(ids, `${at}.ids`).forEach((each, k) => target.push(this.#id(each, `${at}.ids[${k}]`)));
    });
    if (texts === 0)
      throw this.#invalid('post_processor.single', 'a template without the text, { "Sequence": { "id": "A" } }');
    return { prefixIds: Int32Array.from(prefix), suffixIds: Int32Array.from(suffix) };
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
    this.#array(value ?? [], 'added_tokens').forEach((item, i) => {
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
    const token = this.#object(item, where);
    const flag = (name: string) => this.#boolean(token[name], `${where}.${name}`);
    return {
      content: this.#string(token.content, `${where}.content`),
      id: this.#id(token.id, `${where}.id`),
      singleWord: flag('single_word'),
      leftStrip: flag('lstrip'),
      rightStrip: flag('rstrip'),
      normalized: flag('normalized'),
      special: flag('special'),
    };
  }

  /** `["[SEP]", 102]`, as BertProcessing writes its tokens. */
  #tokenAndId(value: unknown, where: string): number {
    const pair = this.#array(value, where);
    if (pair.length !== 2) throw this.#invalid(where, `${shown(value)}; expected a token and its id`);
    this.#string(pair[0], `${where}[0]`);
    return this.#id(pair[1], `${where}[1]`);
  }

  #object(value: unknown, where: string): Json {
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      throw this.#invalid(where, `${shown(value)}; expected an object`);
    return value as Json;
  }

  #array(value: unknown, where: string): readonly unknown[] {
    if (!Array.isArray(value)) throw this.#invalid(where, `${shown(value)}; expected an array`);
    return value;
  }

  #string(value: unknown, where: string): string {
    if (typeof value !== 'string') throw this.#invalid(where, `${shown(value)}; expected a string`);
    return value;
  }

  #boolean(value: unknown, where: string): boolean {
    if (typeof value !== 'boolean') throw this.#invalid(where, `${shown(value)}; expected true or false`);
    return value;
  }

  #count(value: unknown, where: string): number {
    if (!Number.isSafeInteger(value) || (value as number) < 0)
      throw this.#invalid(where, `${shown(value)}; expected a whole number ≥ 0`);
    return value as number;
  }

  #id(value: unknown, where: string): number {
    const id = this.#count(value, where);
    if (id > maxInt32) throw this.#invalid(where, `${id}; ids end at ${maxInt32}`);
    return id;
  }

  #typeName(type: unknown): string {
    return typeof type === 'string' ? type : `without a known type (${shown(type)})`;
  }

  #invalid(where: string, what: string): GtewayError {
    return new GtewayError('ERR_TOKENIZER_INVALID', `${this.#source}: ${where} is ${what}`, { details: { where } });
  }

  #unsupported(stage: string, type: string): GtewayError {
    return new GtewayError(
      'ERR_TOKENIZER_UNSUPPORTED',
      `${this.#source}: the ${stage} is ${type}, which gteway does not have. It reads BERT tokenizers: BertNormalizer, ` +
        'BertPreTokenizer, WordPiece, and TemplateProcessing or BertProcessing',
      { details: { stage, type } },
    );
  }
}

function shown(value: unknown): string {
  if (value === undefined) return 'missing';
  const text = JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
