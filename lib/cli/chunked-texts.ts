/** `gteway embed --chunk`: texts become their chunks, on the way to be embedded. */
import { type Command, Option } from 'commander';
import {
  type Chunk,
  type ChunkBy,
  type ChunkOptions,
  checkChunkOptions,
  chunkWays,
} from '../documents/chunk-options.js';
import type { DocumentChunk } from '../embedding/embed-document.js';
import type { SliceSource } from '../embedding/embed-slices.js';
import type { Prompt } from '../embedding/prompt.js';
import { sliceBounds } from '../embedding/slice-bounds.js';
import { Session } from '../session.js';
import { Tokenizer } from '../tokenizer/tokenizer.js';
import { wholeNumber } from './arguments.js';
import { CommandError, UsageError } from './failure.js';

export interface ChunkFlags {
  chunk?: number;
  overlap?: number;
  by?: ChunkBy;
}

export function addChunkOptions(command: Command): Command {
  return command
    .addOption(
      new Option(
        '--chunk <tokens>',
        'cut each text into chunks of at most so many tokens, and give a vector of each',
      ).argParser(wholeNumber(1)),
    )
    .addOption(
      new Option(
        '--overlap <tokens>',
        'how many a chunk repeats, at most, of the one before it (default: 0)',
      ).argParser(wholeNumber(0)),
    )
    .addOption(new Option('--by <boundary>', 'where chunks are cut (default: paragraph)').choices(chunkWays));
}

/**
 * How to cut for what the session runs. Throws UsageError for what the model does not take.
 */
export async function chunkingOf(session: Session, prompt: Prompt | undefined, flags: ChunkFlags): Promise<Chunking> {
  const { chunk: maxTokens = 0, overlap = 0, by = 'paragraph' } = flags;
  const { tokenizer, promptTokens } = await Session.tokenizerFor(session, prompt);
  const longest = tokenizer.maxTokens - promptTokens;
  if (maxTokens > longest) {
    const behind = promptTokens > 0 ? ` behind a prompt of ${promptTokens}` : '';
    throw new UsageError(`--chunk ${maxTokens} is more than the ${longest} tokens that the model takes${behind}`);
  }
  try {
    const model = { maxTokens: longest, specialTokens: tokenizer.count('') };
    return { tokenizer, options: checkChunkOptions('--chunk', { maxTokens, overlap, by }, model) };
  } catch (error) {
    throw error instanceof RangeError ? new UsageError(error.message, { cause: error }) : error;
  }
}

export interface Chunking {
  readonly tokenizer: Tokenizer;
  readonly options: Required<ChunkOptions>;
}

/** The chunks of texts, in order, in memory that does not grow with their number. */
export class ChunkedTexts {
  readonly #texts: SliceSource;
  readonly #chunking: Chunking;
  /** Texts that came together, and the number of the first. */
  #group: readonly (string | Error)[] = [];
  #groupBegin = 0;
  #next = 0;
  /** Of one text, those that were not given yet. */
  #waiting: DocumentChunk[] = [];
  /** Given, and not taken. */
  readonly #given: DocumentChunk[] = [];
  #isClosed = false;

  constructor(texts: SliceSource, chunking: Chunking) {
    this.#texts = texts;
    this.#chunking = chunking;
  }

  /** The texts of the chunks. */
  get source(): SliceSource {
    return {
      next: () => this.#portion(),
      close: () => {
        this.#isClosed = true;
        return this.#texts.close();
      },
      position: () => this.#texts.position?.() ?? 0,
    };
  }

  /** Which chunks the next `count` texts of the source are, of those it has given. Each is told once. */
  take(count: number): readonly DocumentChunk[] {
    return this.#given.splice(0, count);
  }

  /** A text may have more chunks than are worth to be handed on together. */
  async #portion(): Promise<readonly string[] | undefined> {
    while (this.#waiting.length === 0) {
      if (this.#next === this.#group.length && !(await this.#readGroup())) return undefined;
      // An empty text has no chunk.
      this.#waiting = await this.#chunksOf(this.#groupBegin + this.#next, this.#group[this.#next++]);
    }
    const portion = this.#waiting.splice(0, sliceBounds.mostTexts);
    this.#given.push(...portion);
    return portion.map(({ text }) => text);
  }

  async #readGroup(): Promise<boolean> {
    this.#groupBegin += this.#group.length;
    [this.#group, this.#next] = [[], 0];
    while (this.#group.length === 0) {
      const group = await this.#texts.next();
      if (group === undefined) return false;
      this.#group = group;
    }
    return true;
  }

  async #chunksOf(document: number, text: string | Error | undefined): Promise<DocumentChunk[]> {
    if (typeof text !== 'string') throw text ?? new Error(`there is no text ${document}`);
    const { tokenizer, options } = this.#chunking;
    let chunks: Chunk[];
    try {
      chunks = await Tokenizer.chunkWithPauses(tokenizer, '--chunk', text, options, () => this.#isClosed);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      throw new CommandError(`text number ${document + 1} cannot be cut: ${error.message}`, { cause: error });
    }
    return chunks.map((chunk) => ({ document, ...chunk }));
  }
}

/** What makes a chunk the same in another run: its text, and where it is from. */
export function chunkIdentity({ document, start, text }: DocumentChunk): string {
  return `${document}:${start}:${text}`;
}
