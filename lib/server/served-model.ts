/** A model as the server has it: its session, its tokenizer, what is in flight, and the names clients may call it by. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { EmbedOptions } from '../embedding/embed-options.js';
import type { Embeddings } from '../vectors/embeddings.js';
import type { SessionInfo } from '../engines/session-info.js';
import { GtewayError } from '../errors.js';
import { classifyModel } from '../models/classify.js';
import { type ResolvedTokenizer, resolveTokenizer } from '../models/resolve.js';
import { Session } from '../session.js';
import type { EmbeddingSessionOptions } from '../engines/session-options.js';
import { Tokenizer } from '../tokenizer/tokenizer.js';
import { parseTokenizerJson } from '../tokenizer/tokenizer-json.js';
import { RequestFailure } from './failures.js';
import { TokenIdReader } from './token-ids.js';
import { TokenSpans } from './token-spans.js';

/** A model to serve: what to load, and the name clients ask for. */
export interface ModelRequest {
  /** What the answers call it. */
  readonly name: string;
  /** A known name, a hub repository or a directory. */
  readonly model: string;
}

export class ServedModel {
  readonly name: string;
  readonly session: Session;
  readonly tokenizer: Tokenizer;
  readonly tokenIds: TokenIdReader;
  readonly tokenSpans: TokenSpans;
  readonly info: SessionInfo;
  readonly files: ResolvedTokenizer;
  /** Of the weights. */
  readonly modifiedAt: Date;
  readonly bytes: number;
  textsInFlight = 0;
  readonly #maxQueue: number;
  #digest: Promise<string> | undefined;

  private constructor(
    name: string,
    maxQueue: number,
    parts: Pick<ServedModel, 'session' | 'tokenizer' | 'tokenIds' | 'tokenSpans' | 'files' | 'modifiedAt' | 'bytes'>,
  ) {
    this.name = name;
    this.#maxQueue = maxQueue;
    this.session = parts.session;
    this.tokenizer = parts.tokenizer;
    this.tokenIds = parts.tokenIds;
    this.tokenSpans = parts.tokenSpans;
    this.files = parts.files;
    this.modifiedAt = parts.modifiedAt;
    this.bytes = parts.bytes;
    this.info = parts.session.info;
  }

  /** Loads it and makes an embedding. Rejects with why that cannot be. */
  static async load(
    { name, model }: ModelRequest,
    options: EmbeddingSessionOptions,
    signal: AbortSignal,
  ): Promise<ServedModel> {
    const session: Session = new Session(model, options);
    const stop = (): void => void session.close();
    signal.addEventListener('abort', stop, { once: true });
    try {
      await session.ready();
      const { cacheDir, offline } = options;
      // All of it is there by now; this only says where.
      const files = await resolveTokenizer(model, {
        ...(cacheDir === undefined ? {} : { cacheDir }),
        ...(offline === undefined ? {} : { offline }),
        signal,
      });
      const tokenizer = await Tokenizer.fromDirectory(files.directory);
      const path = join(files.directory, 'tokenizer.json');
      const config = parseTokenizerJson(await readFile(path, 'utf8'), path);
      const { size, mtime } = await stat(session.info.modelFile);
      const served = new ServedModel(name, options.maxQueue ?? Infinity, {
        session,
        tokenizer,
        tokenIds: new TokenIdReader(tokenizer, config),
        tokenSpans: new TokenSpans(config),
        files,
        modifiedAt: mtime,
        bytes: size,
      });
      await served.#test();
      return served;
    } catch (error) {
      await session.close();
      throw error;
    } finally {
      signal.removeEventListener('abort', stop);
    }
  }

  /** The names clients may use: its own, its repository's and its directory's, each also as Ollama writes it. */
  names(): string[] {
    const reference = classifyModel(this.files.name);
    const names = [this.name];
    if (reference.kind === 'known') names.push(reference.name, reference.repository);
    if (reference.kind === 'hub') names.push(reference.repository);
    if (reference.kind === 'directory') names.push(basename(reference.directory));
    return names.flatMap((name) => [name, `${name}:latest`]);
  }

  /**
   * As `session.embed`, and counted. Throws RequestFailure 'overloaded' at once where it would pass the queue's bound: all
   * its texts count from the beginning, also those of slices that the session has yet to begin.
   */
  async embed(texts: readonly string[], options: EmbedOptions): Promise<Embeddings> {
    if (this.textsInFlight > 0 && this.textsInFlight + texts.length > this.#maxQueue) {
      throw new RequestFailure(
        'overloaded',
        `the queue is full: ${this.textsInFlight} texts are in it, and ${texts.length} more would pass ${this.#maxQueue}`,
      );
    }
    this.textsInFlight += texts.length;
    try {
      return await this.session.embed(texts, options);
    } finally {
      this.textsInFlight -= texts.length;
    }
  }

  /** Whether another text would be refused. */
  get isFull(): boolean {
    return this.textsInFlight >= this.#maxQueue;
  }

  /** SHA-256 of the weights' file, as hexadecimal digits. Computed when first asked for. */
  digest(): Promise<string> {
    this.#digest ??= sha256(this.info.modelFile);
    return this.#digest;
  }

  async #test(): Promise<void> {
    const { data, rows, dimensions } = await this.session.embed(['self-test', 'of a server that starts']);
    const first = data.subarray(0, dimensions);
    const second = data.subarray(dimensions);
    const isUnit = (row: Float32Array): boolean => Math.abs(Math.hypot(...row) - 1) < 1e-3;
    if (rows === 2 && isUnit(first) && isUnit(second) && first.some((value, i) => value !== second[i])) return;
    throw new GtewayError(
      'ERR_INFERENCE_FAILED',
      `${this.name}: the self-test failed: its vectors of two different texts are not two different vectors of length 1`,
    );
  }
}

async function sha256(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}
