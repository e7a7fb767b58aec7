/** What every model that the server has is, embedding model or reranker: its files, its tokenizer, and what is in flight. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { SessionStats } from '../embedding/session-stats.js';
import type { Purpose } from '../engines/engine-loading.js';
import type { ModelInfo } from '../engines/session-info.js';
import { classifyModel } from '../models/classify.js';
import type { ResolvedTokenizer } from '../models/resolve.js';
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

/** What runs a model: a Session or a Reranker. */
export interface Runner {
  readonly info: ModelInfo;
  stats(): SessionStats;
  close(): Promise<void>;
}

/** The parts that are read from a loaded model's files. */
export interface ModelFiles {
  readonly tokenizer: Tokenizer;
  readonly tokenIds: TokenIdReader;
  readonly tokenSpans: TokenSpans;
  readonly files: ResolvedTokenizer;
  /** Of the weights. */
  readonly modifiedAt: Date;
  readonly bytes: number;
}

/** `weights`: the file that was loaded. */
export async function readModelFiles(files: ResolvedTokenizer, weights: string): Promise<ModelFiles> {
  const path = join(files.directory, 'tokenizer.json');
  const tokenizer = await Tokenizer.fromDirectory(files.directory);
  const config = parseTokenizerJson(await readFile(path, 'utf8'), path);
  const { size, mtime } = await stat(weights);
  return {
    tokenizer,
    tokenIds: new TokenIdReader(tokenizer, config),
    tokenSpans: new TokenSpans(config),
    files,
    modifiedAt: mtime,
    bytes: size,
  };
}

export abstract class HostedModel implements ModelFiles {
  readonly name: string;
  readonly tokenizer: Tokenizer;
  readonly tokenIds: TokenIdReader;
  readonly tokenSpans: TokenSpans;
  readonly files: ResolvedTokenizer;
  readonly modifiedAt: Date;
  readonly bytes: number;
  textsInFlight = 0;
  readonly #runner: Runner;
  readonly #maxQueue: number;
  #digest: Promise<string> | undefined;

  protected constructor(name: string, runner: Runner, maxQueue: number, parts: ModelFiles) {
    this.name = name;
    this.#runner = runner;
    this.#maxQueue = maxQueue;
    this.tokenizer = parts.tokenizer;
    this.tokenIds = parts.tokenIds;
    this.tokenSpans = parts.tokenSpans;
    this.files = parts.files;
    this.modifiedAt = parts.modifiedAt;
    this.bytes = parts.bytes;
  }

  abstract readonly kind: Purpose;
  abstract get info(): ModelInfo;

  stats(): SessionStats {
    return this.#runner.stats();
  }

  close(): Promise<void> {
    return this.#runner.close();
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
   * Does `work` with so many texts, and counts them. Throws RequestFailure 'overloaded' at once where they would pass the
   * queue's bound: all of a request's texts count from the beginning, also those of slices that are yet to begin.
   */
  protected async counted<Result>(texts: number, work: () => Promise<Result>): Promise<Result> {
    if (this.textsInFlight > 0 && this.textsInFlight + texts > this.#maxQueue) {
      throw new RequestFailure(
        'overloaded',
        `the queue is full: ${this.textsInFlight} texts are in it, and ${texts} more would pass ${this.#maxQueue}`,
      );
    }
    this.textsInFlight += texts;
    try {
      return await work();
    } finally {
      this.textsInFlight -= texts;
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
}

async function sha256(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}
