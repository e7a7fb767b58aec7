/** Text to token ids, as the model was trained on them. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate as pause } from 'node:timers/promises';
import type { NativeTokenizer } from '../../types/binding.js';
import { GtewayError } from '../errors.js';
import { directoryFiles } from '../models/cache.js';
import { type ResolveOptions, resolveTokenizer } from '../models/resolve.js';
import { layoutOf, modulesFile, staticKind, type StaticKind } from '../models/static-model.js';
import { binding } from '../native/binding.js';
import { fromNative } from '../native/errors.js';
import { rejectUnknownKeys } from '../arguments/known-names.js';
import { type Chunk, type ChunkOptions, checkChunkOptions } from '../documents/chunk-options.js';
import { chunkSteps } from '../documents/chunk-text.js';
import { forStaticModel, staticTokenLimit } from './static-tokens.js';
import { parseTokenizerJson } from './tokenizer-json.js';

export interface TokenizerOptions {
  /**
   * The most tokens `encode` gives unless told otherwise, special tokens counted. Infinity: no limit.
   * @default what the model takes (a static one of model2vec 512, of sentence-transformers all): `max_position_embeddings` of config.json (less what RoBERTa and its kin reserve), else `model_max_length` of
   * tokenizer_config.json, else 512. Never the `truncation` of tokenizer.json.
   */
  maxTokens?: number;
}

/** Options of `Tokenizer.load`. */
export interface TokenizerLoadOptions
  extends TokenizerOptions, Pick<ResolveOptions, 'cacheDir' | 'offline' | 'onProgress' | 'signal'> {}

export interface EncodeOptions {
  /**
   * The most ids for one text, special tokens counted: a longer text is cut at its end, the closing special token stays.
   * Infinity: no cut.
   * @default the tokenizer's `maxTokens`
   */
  maxTokens?: number;
  /**
   * Put the model's special tokens around the text: `[CLS]` … `[SEP]` for BERT.
   * @default true
   */
  addSpecialTokens?: boolean;
}

export interface Encoding {
  /** One id per token. */
  ids: Int32Array;
  /** Whether the text had more tokens than the limit allowed. */
  truncated: boolean;
}

export interface BatchEncoding {
  /** The ids of all texts end to end, without padding. */
  ids: Int32Array;
  /** Where each text's ids begin, and at last where they end: `texts.length + 1` numbers, the first 0. */
  offsets: Uint32Array;
  /** For each text, whether it had more tokens than the limit allowed. */
  truncated: boolean[];
}

/** Two texts in one sequence, as rerankers read them. */
export interface PairEncoding extends Encoding {
  /** Beside `ids`: which text a token belongs to, as the model was trained (for some models 0 for both). */
  typeIds: Int32Array;
}

/** What a tokenizer is made from, as text. */
export interface TokenizerFiles {
  tokenizerJson: string;
  /** tokenizer_config.json, for its limit. */
  tokenizerConfig?: string | undefined;
  /** The model's config.json, for its limit. */
  config?: string | undefined;
  /** Names the files in errors. */
  source?: string;
  /** Of a static model: whose rules it follows. */
  staticKind?: StaticKind | undefined;
}

const fallbackMaxTokens = 512;

/** About as many UTF-16 units are read at a time: they, their ids and the tables then share the cache. */
const partUnits = 1 << 17;

/** V8 answers this without looking at the characters where it stores a string with one byte each. */
const beyondOneByte = /[^\0-\xFF]/;

/**
 * A tokenizer: WordPiece, Unigram or BPE. Its ids equal those of Hugging Face tokenizers.
 *
 * Immutable; all methods compute at once on the calling thread, at hundreds of megabytes a second. A lone surrogate in a
 * string counts as U+FFFD, as in TextEncoder. A string has at most 2^29 - 24 UTF-16 code units, V8's own limit.
 */
export class Tokenizer {
  /** The limit of `encode` unless told otherwise, special tokens counted. */
  readonly maxTokens: number;
  readonly #native: NativeTokenizer;

  /** @internal Use Tokenizer.load() or Tokenizer.fromDirectory(). */
  constructor(native: NativeTokenizer, maxTokens: number) {
    this.#native = native;
    this.maxTokens = checkedLimit(maxTokens, native.specialTokensAdded);
  }

  /**
   * The tokenizer of a model: a known name, a hub repository or a directory. Fetches what is not in the cache; the
   * weights are not needed.
   *
   * @throws GtewayError as fromDirectory(), and what fetching can end with: ERR_HUB_*, ERR_OFFLINE, ERR_CACHE_WRITE,
   * ERR_ABORTED.
   */
  static async load(model: string, options: TokenizerLoadOptions = {}): Promise<Tokenizer> {
    rejectUnknownKeys(options, ['maxTokens', 'cacheDir', 'offline', 'onProgress', 'signal'], 'Tokenizer.load()');
    const { maxTokens, ...resolveOptions } = options;
    const { directory } = await resolveTokenizer(model, resolveOptions);
    return Tokenizer.fromDirectory(directory, maxTokens === undefined ? {} : { maxTokens });
  }

  /**
   * The tokenizer of a model directory: `tokenizer.json`, and the limit from `config.json` or `tokenizer_config.json`.
   *
   * @throws GtewayError ERR_MODEL_NOT_FOUND without a tokenizer.json, ERR_TOKENIZER_INVALID where a file is malformed,
   * ERR_TOKENIZER_UNSUPPORTED where it asks for what gteway does not have.
   */
  static async fromDirectory(directory: string, options: TokenizerOptions = {}): Promise<Tokenizer> {
    if (typeof directory !== 'string') throw new TypeError(`directory must be a string, not ${typeName(directory)}`);
    const path = join(directory, layoutOf(directoryFiles(directory)).tokenizer);
    const [tokenizerJson, tokenizerConfig, config, modules] = await Promise.all([
      readIfThere(path),
      readIfThere(join(directory, 'tokenizer_config.json')),
      readIfThere(join(directory, 'config.json')),
      readIfThere(join(directory, modulesFile)),
    ]);
    if (tokenizerJson === undefined)
      throw new GtewayError(
        'ERR_MODEL_NOT_FOUND',
        `${path} does not exist: a model directory needs the tokenizer.json that Hugging Face tokenizers writes`,
      );
    const kind = staticKind(jsonIfAny(config), jsonIfAny(modules));
    return Tokenizer.fromFiles({ tokenizerJson, tokenizerConfig, config, source: path, staticKind: kind }, options);
  }

  /** A tokenizer from the contents of its files. */
  static fromFiles(files: TokenizerFiles, options: TokenizerOptions = {}): Tokenizer {
    const { maxTokens } = checkedOptions(options, ['maxTokens'], 'a tokenizer');
    const { staticKind: kind } = files;
    const parsed = parseTokenizerJson(files.tokenizerJson, files.source);
    const ofModel = kind === undefined ? modelLimit(files.config, files.tokenizerConfig) : staticTokenLimit(kind);
    const limit = (maxTokens as number | undefined) ?? ofModel ?? fallbackMaxTokens;
    const config = kind === undefined ? parsed : forStaticModel(parsed, kind);
    try {
      return new Tokenizer(new (binding().NativeTokenizer)(config), limit);
    } catch (error) {
      throw fromNative(error);
    }
  }

  /** The text's token ids. Of a text far beyond the limit, only the beginning is read. */
  encode(text: string, options: EncodeOptions = {}): Encoding {
    checkText(text, 'text');
    const { maxTokens, addSpecialTokens } = this.#checked(options);
    return this.#native.encode(this.#beginning(text, maxTokens, addSpecialTokens), maxTokens, addSpecialTokens);
  }

  /** The token ids of many texts, end to end: one crossing into native code for all of them. */
  encodeBatch(texts: readonly string[], options: EncodeOptions = {}): BatchEncoding {
    if (!Array.isArray(texts)) throw new TypeError(`texts must be an array of strings, not ${typeName(texts)}`);
    const { maxTokens, addSpecialTokens } = this.#checked(options);
    const parts: string[] = [];
    const oneByte: boolean[] = [];
    const rows: number[] = [];
    const lengths = new Uint32Array(texts.length);
    // Native code reads one long string several times faster than many short ones, and fastest in its one-byte form.
    let part: string[] = [];
    let units = 0;
    const finishPart = () => {
      const joined = part.length === 1 ? (part[0] ?? '') : part.join('');
      parts.push(joined);
      oneByte.push(!beyondOneByte.test(joined));
      rows.push(part.length);
      part = [];
      units = 0;
    };
    for (let i = 0; i < texts.length; i++) {
      let text: unknown = texts[i];
      if (typeof text !== 'string') throw new TypeError(`texts[${i}] must be a string, not ${typeName(text)}`);
      if (text.length > partUnits) text = this.#beginning(text, maxTokens, addSpecialTokens);
      const { length } = text as string;
      if (units + length > partUnits && part.length > 0) finishPart();
      part.push(text as string);
      units += length;
      lengths[i] = length;
    }
    if (part.length > 0) finishPart();
    const { ids, offsets, truncated } = this.#native.encodeBatch(
      parts,
      oneByte,
      Uint32Array.from(rows),
      lengths,
      maxTokens,
      addSpecialTokens,
    );
    const flags = new Array<boolean>(truncated.length);
    for (let i = 0; i < flags.length; i++) flags[i] = truncated[i] === 1;
    return { ids, offsets, truncated: flags };
  }

  /** Whether tokenizer.json says how two texts make one sequence: what `encodePair` needs. */
  get pairs(): boolean {
    return this.#native.pairs;
  }

  /**
   * The ids of two texts in one sequence, `[CLS] first [SEP] second [SEP]` for BERT. A pair beyond the limit loses the
   * end of `second`; `first` is cut only where it alone leaves no room, and then nothing is left of `second`.
   *
   * @throws GtewayError ERR_TOKENIZER_UNSUPPORTED without `pairs`.
   */
  encodePair(first: string, second: string, options: EncodeOptions = {}): PairEncoding {
    checkText(first, 'first');
    checkText(second, 'second');
    if (!this.#native.pairs)
      throw new GtewayError(
        'ERR_TOKENIZER_UNSUPPORTED',
        "this tokenizer's post_processor has no template of pairs that gteway can follow: both texts once, the first first",
      );
    const { maxTokens, addSpecialTokens } = this.#checked(options, 'encodePair', this.#native.pairTokensAdded);
    const beginning = (text: string) => this.#beginning(text, maxTokens, false);
    return this.#native.encodePair(beginning(first), beginning(second), maxTokens, addSpecialTokens);
  }

  /**
   * How many tokens the whole text has, special tokens counted, however long it is. For what does not fit a string: counts
   * without special tokens add up over parts that are cut at line ends (unless an added token holds white space).
   */
  count(text: string, options: Pick<EncodeOptions, 'addSpecialTokens'> = {}): number {
    checkText(text, 'text');
    const { addSpecialTokens } = checkedOptions(options, ['addSpecialTokens'], 'count');
    return this.#native.count(text, (addSpecialTokens as boolean | undefined) ?? true);
  }

  /**
   * The text in chunks of at most so many tokens, at the boundaries of its structure and never within a grapheme, unless
   * one alone is longer. In order; without overlap they are the whole text, end to end. An empty text has none.
   *
   * Computes at once, on the calling thread; `session.embedDocument` lets others have it in between.
   *
   * @example
   * for (const { text, start, end, tokens } of tokenizer.chunk(article, { maxTokens: 256, overlap: 32 })) …
   */
  chunk(text: string, options: ChunkOptions = {}): Chunk[] {
    const steps = this.#chunkSteps('tokenizer.chunk()', text, options);
    for (let step = steps.next(); ; step = steps.next()) if (step.done === true) return step.value;
  }

  /** @internal As `chunk`, for `where`; lets others have the thread every few milliseconds. */
  static async chunkWithPauses(
    tokenizer: Tokenizer,
    where: string,
    text: string,
    options: ChunkOptions,
    ended: () => boolean,
  ): Promise<Chunk[]> {
    const steps = tokenizer.#chunkSteps(where, text, options);
    for (let step = steps.next(); ; step = steps.next()) {
      if (step.done === true) return step.value;
      if (ended()) return [];
      await pause();
    }
  }

  #chunkSteps(where: string, text: string, options: ChunkOptions): Generator<void, Chunk[]> {
    if (typeof text !== 'string') throw new TypeError(`${where}: text must be a string, not ${typeName(text)}`);
    const specialTokens = this.#native.specialTokensAdded;
    const filled = checkChunkOptions(where, options, { maxTokens: this.maxTokens, specialTokens });
    const { partsAtSpaces } = this.#native;
    return chunkSteps(text, filled, {
      specialTokens,
      partsAtSpaces,
      countSpans: (of, spans) => this.#countSpans(of, spans),
    });
  }

  /** Crosses into native code once: the text that the spans lie in, and where they are. */
  #countSpans(text: string, spans: readonly number[]): Uint32Array {
    const begin = spans[0] ?? 0;
    let end = begin;
    const places = new Uint32Array(spans.length);
    for (let i = 0; i < spans.length; i++) {
      const at = spans[i] ?? 0;
      places[i] = at - begin;
      if (at > end) end = at;
    }
    const part = text.slice(begin, end);
    return this.#native.countSpans(part, !beyondOneByte.test(part), places);
  }

  /** The text's tokens as the vocabulary writes them: `['[CLS]', 'token', '##izer', '[SEP]']`. One per id of `encode`. */
  tokens(text: string, options: EncodeOptions = {}): string[] {
    const seen = new Map<number, string>();
    return Array.from(this.encode(text, options).ids, (id) => {
      let token = seen.get(id);
      if (token === undefined) seen.set(id, (token = this.#native.token(id)));
      return token;
    });
  }

  /** @internal The native object, for a session that tokenises on its own threads. */
  static nativeOf(tokenizer: Tokenizer): NativeTokenizer {
    return tokenizer.#native;
  }

  /**
   * As much of the text's beginning as shows that it is truncated, and how; the whole text if it is not much longer.
   * Copying a string of 50 MB into native memory takes longer than finding the 512 tokens that are wanted of it.
   */
  #beginning(text: string, maxTokens: number, addSpecialTokens: boolean): string {
    if (maxTokens === Infinity || !this.#native.partsAtSpaces) return text;
    for (let units = Math.max(4096, maxTokens * 8); units * 4 < text.length; units *= 4) {
      const space = text.lastIndexOf(' ', units);
      if (space <= 0) continue;
      const beginning = text.slice(0, space + 1);
      if (this.#native.encode(beginning, maxTokens, addSpecialTokens).truncated) return beginning;
    }
    return text;
  }

  #checked(
    options: EncodeOptions,
    of = 'encode',
    specialTokens = this.#native.specialTokensAdded,
  ): { maxTokens: number; addSpecialTokens: boolean } {
    const { maxTokens, addSpecialTokens } = checkedOptions(options, ['maxTokens', 'addSpecialTokens'], of);
    const added = (addSpecialTokens as boolean | undefined) ?? true;
    return {
      maxTokens: checkedLimit(maxTokens ?? this.maxTokens, added ? specialTokens : 0),
      addSpecialTokens: added,
    };
  }
}

/** As `tokenizer.chunk`, with the tokenizer among the options. */
export function chunk(text: string, options: ChunkOptions & { tokenizer: Tokenizer }): Chunk[] {
  const { tokenizer, ...rest } = options;
  if (!((tokenizer as unknown) instanceof Tokenizer))
    throw new TypeError(
      `chunk(): tokenizer must be a Tokenizer, such as Tokenizer.load() gives, not ${typeName(tokenizer)}`,
    );
  return tokenizer.chunk(text, rest);
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT' || (error as NodeJS.ErrnoException).code === 'ENOTDIR')
      return undefined;
    throw new GtewayError('ERR_MODEL_INVALID', `${path} cannot be read: ${(error as Error).message}`, { cause: error });
  }
}

/** What is no JSON is told by whoever needs what is in it. */
function jsonIfAny(text: string | undefined): unknown {
  try {
    return text === undefined ? undefined : (JSON.parse(text) as unknown);
  } catch {
    return undefined;
  }
}

const positionsBehindPadding = new Set<unknown>(['roberta', 'xlm-roberta', 'camembert', 'mpnet']);

function modelLimit(config: string | undefined, tokenizerConfig: string | undefined): number | undefined {
  for (const [text, file, key] of [
    [config, 'config.json', 'max_position_embeddings'],
    [tokenizerConfig, 'tokenizer_config.json', 'model_max_length'],
  ] as const) {
    if (text === undefined) continue;
    let json: Readonly<Record<string, unknown>> | null;
    try {
      json = JSON.parse(text) as Readonly<Record<string, unknown>> | null;
    } catch (cause) {
      throw new GtewayError('ERR_TOKENIZER_INVALID', `${file} is not JSON: ${(cause as Error).message}`, { cause });
    }
    let limit = json?.[key];
    // Their positions begin behind that of the padding.
    if (key === 'max_position_embeddings' && positionsBehindPadding.has(json?.model_type))
      limit = (limit as number) - ((json?.pad_token_id as number | undefined) ?? 1) - 1;
    // Where nobody knew, exporters write 1e30.
    if (Number.isSafeInteger(limit) && (limit as number) > 0 && (limit as number) < 2 ** 31) return limit as number;
  }
  return undefined;
}

function checkText(text: unknown, name: string): asserts text is string {
  if (typeof text !== 'string') throw new TypeError(`${name} must be a string, not ${typeName(text)}`);
}

function checkedLimit(maxTokens: unknown, added: number): number {
  if (typeof maxTokens !== 'number')
    throw new TypeError(`maxTokens must be a whole number or Infinity, not ${typeName(maxTokens)}`);
  if (maxTokens !== Infinity && !Number.isSafeInteger(maxTokens))
    throw new RangeError(`maxTokens must be a whole number or Infinity, not ${maxTokens}`);
  if (maxTokens < Math.max(added, 1))
    throw new RangeError(
      `maxTokens is ${maxTokens}, but must be at least ${Math.max(added, 1)}` +
        (added > 0 ? `: the special tokens alone are ${added}` : ''),
    );
  return maxTokens;
}

function checkedOptions(
  options: unknown,
  known: readonly string[],
  of: string,
): Record<'maxTokens' | 'addSpecialTokens', unknown> {
  if (typeof options !== 'object' || options === null)
    throw new TypeError(`the options of ${of} must be an object, not ${typeName(options)}`);
  for (const name of Object.keys(options))
    if (!known.includes(name))
      throw new TypeError(`unknown option ${JSON.stringify(name)} of ${of}; known: ${known.join(', ')}`);
  const { maxTokens, addSpecialTokens } = options as EncodeOptions;
  if (addSpecialTokens !== undefined && typeof addSpecialTokens !== 'boolean')
    throw new TypeError(`addSpecialTokens must be true or false, not ${typeName(addSpecialTokens)}`);
  return { maxTokens, addSpecialTokens };
}

function typeName(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'an array';
  return typeof value === 'object' ? 'an object' : typeof value;
}
