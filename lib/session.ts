/** The public Session: one class for embedding models, which run in this process, and language models, which a server runs. */
import type { Embeddings } from './vectors/embeddings.js';
import type { EmbedOptions } from './embedding/embed-options.js';
import { embedDocument, type EmbeddedDocument, type EmbedDocumentOptions } from './embedding/embed-document.js';
import { EmbeddingSession } from './embedding/embedding-session.js';
import type { SessionInfo } from './engines/session-info.js';
import { embedStream, type EmbedStreamOptions } from './embedding/embed-stream.js';
import type { Prompt } from './embedding/prompt.js';
import { runEmbedding, type RunEmbedding, type RunOptions } from './embedding/run.js';
import { LlmClient, type LlmPrompt } from './llm/client.js';
import type { LlmRunOptions, LlmSessionOptions } from './llm/options.js';
import type { RunLanguageModel } from './llm/run.js';
import type { Tokenizer } from './tokenizer/tokenizer.js';
import { classifyModel } from './models/classify.js';
import { type KnownModelName, nearestKnownModel } from './models/registry.js';
import { show } from './arguments/show.js';
import { GtewayError, isGtewayError } from './errors.js';
import type { EmbeddingSessionOptions } from './engines/session-options.js';
import type { SessionStats } from './embedding/session-stats.js';

/** A model that gives vectors, as far as its name tells: a known name, a directory or a hub repository. */
export type EmbeddingModelName =
  KnownModelName | `./${string}` | `../${string}` | `/${string}` | `~/${string}` | `${string}/${string}`;

/**
 * `session.run`, by the model's name. A name known only at run time has both forms, and `run(text)` without options that
 * only a language model has then means an embedding.
 */
export type Run<Model extends string> = string extends Model
  ? RunEmbedding & RunLanguageModel
  : Model extends EmbeddingModelName
    ? RunEmbedding
    : RunLanguageModel;

/** Options of a session; which of the two apply follows from the model. */
export type SessionOptions = EmbeddingSessionOptions | LlmSessionOptions;

/**
 * A model, ready to be run.
 *
 * The name decides what it is. A known name (`'gte-small'`), a hub repository (`'owner/name'`) or a directory
 * (`'./model'`) is an embedding model; every other name, and any name given with a `host`, is a language model on the
 * server that `host` or AI_INFERENCE_API_HOST names.
 *
 * @example
 * await using session = new Session('gte-small');
 * const vector = await session.run('Hello world'); // number[], 384 of them, of length 1
 */
export class Session<const Model extends string = string> implements AsyncDisposable {
  /**
   * Runs the model: text to vectors, or a prompt to an answer. A failure of loading comes out here too.
   *
   * With an embedding model, rejects with ERR_ABORTED or ERR_TIMEOUT (`signal`, `timeout` in seconds),
   * ERR_OVERLOADED, ERR_CLOSED, ERR_INFERENCE_FAILED, or why the model could not be loaded.
   * For language models, see LlmRunOptions.
   */
  readonly run: Run<Model>;
  readonly #embedding: EmbeddingSession | undefined;
  readonly #languageModel: LlmClient | undefined;
  /** Why what only embedding models have is refused. */
  readonly #misuse: string = '';

  /**
   * Returns at once; files are fetched and loaded in the background, and calls made meanwhile wait.
   *
   * Throws TypeError or RangeError for unknown or malformed options. A model that cannot be loaded is reported by
   * `ready()` and every call.
   */
  constructor(model: Model, options: SessionOptions = {}) {
    if (typeof options !== 'object' || (options as unknown) === null) {
      throw new TypeError(`new Session(): options must be an object, not ${show(options)}`);
    }
    if ('host' in options || classifyModel(model).kind === 'llm') {
      const languageModel = new LlmClient(model, options as LlmSessionOptions);
      this.#languageModel = languageModel;
      const hint = slipHint(model);
      this.#misuse = `'${model}' is a language model${hint}`;
      this.run = ((prompt: LlmPrompt, runOptions?: LlmRunOptions) =>
        languageModel.run(prompt, runOptions).catch((error: unknown) => {
          throw withHint(error, hint);
        })) as Run<Model>;
    } else {
      const embedding = new EmbeddingSession(model, options as EmbeddingSessionOptions);
      this.#embedding = embedding;
      this.run = ((input: unknown, runOptions?: RunOptions) =>
        runEmbedding(embedding, input, runOptions)) as Run<Model>;
    }
  }

  /**
   * A session that is ready. Rejects with why it could not be: ERR_MODEL_*, ERR_TOKENIZER_*, ERR_HUB_*, ERR_OFFLINE,
   * ERR_CACHE_WRITE, ERR_NATIVE_LOAD, ERR_RUNTIME_UNAVAILABLE, ERR_DEVICE_UNAVAILABLE.
   */
  static async load<const Model extends string>(model: Model, options: SessionOptions = {}): Promise<Session<Model>> {
    const session = new Session(model, options);
    await session.ready();
    return session;
  }

  /**
   * Embeds texts into one Float32Array, without the copy into plain arrays that `run` makes: the fast way.
   *
   * Give it as many texts as there are: they are sorted by length and computed in batches that fit, on native threads.
   * An empty array gives no rows; an empty text is its special tokens. Rejects as `run` does, with ERR_TEXT_TOO_LONG
   * where `truncate` is false, and with TypeError for a language model.
   */
  async embed(texts: string | readonly string[], options: EmbedOptions = {}): Promise<Embeddings> {
    return this.#embeddingOnly('embed()').embed(texts, options);
  }

  /**
   * Embeds texts that may be longer than the model takes: cuts them into chunks of `maxTokens`, at the boundaries of their
   * structure, and gives a vector for each chunk, or for each text.
   *
   * Cutting has the JavaScript thread for a few milliseconds at a time. Rejects as `embed` does.
   *
   * @example
   * const { chunks, embeddings } = await session.embedDocument(article, { maxTokens: 256, overlap: 32 });
   * chunks.forEach(({ start, end }, i) => store(start, end, embeddings.toPgVector(i)));
   */
  async embedDocument(
    texts: string | readonly string[],
    options: EmbedDocumentOptions = {},
  ): Promise<EmbeddedDocument> {
    return embedDocument(this.#embeddingOnly('embedDocument()'), texts, options);
  }

  /** @internal For who cuts texts before they are embedded: the model's tokenizer, and how many tokens a prompt has. */
  static tokenizerFor(
    session: Session,
    prompt: Prompt | undefined,
  ): Promise<{ tokenizer: Tokenizer; promptTokens: number }> {
    return session.#embeddingOnly('chunks').tokenizerFor([], prompt === undefined ? {} : { prompt });
  }

  /**
   * Embeds texts from a source of any length in constant memory: a row per text, in their order, as the source is read.
   *
   * Reads ahead by a few thousand texts and then waits until rows are taken; a source that pauses gets the rows of what
   * it has given. A full queue makes it wait: it never rejects with ERR_OVERLOADED. Leaving the loop closes the source
   * and drops what is under way. Rejects as `embed` does, and with TypeError for an item that is not a string, in the
   * place of the row, unless `onError` says otherwise. Throws TypeError or RangeError at once for malformed options.
   *
   * @example
   * for await (const vector of session.embedStream(linesOf(file))) await store(vector);
   */
  embedStream(
    texts: AsyncIterable<string> | Iterable<string>,
    options?: EmbedStreamOptions & { onError?: 'throw' },
  ): AsyncGenerator<Float32Array, void, undefined>;
  /** With `onError: 'continue'`, an Error stands in the place of each item that failed. */
  embedStream(
    texts: AsyncIterable<unknown> | Iterable<unknown>,
    options: EmbedStreamOptions & { onError: 'continue' },
  ): AsyncGenerator<Float32Array | Error, void, undefined>;
  embedStream(
    texts: AsyncIterable<unknown> | Iterable<unknown>,
    options: EmbedStreamOptions = {},
  ): AsyncGenerator<Float32Array | Error, void, undefined> {
    return embedStream(this.#embeddingOnly('embedStream()'), texts, options);
  }

  /**
   * Resolves when the model is loaded; rejects with why it could not be, and with ERR_CLOSED from `close()` on. A language
   * model is always ready.
   */
  async ready(): Promise<void> {
    await this.#embedding?.ready();
  }

  /**
   * What really runs; known from the end of loading on, also after `close()`. Throws TypeError before that and for a
   * language model, and where loading failed, the reason.
   */
  get info(): SessionInfo {
    return this.#embeddingOnly('info').info;
  }

  /** @internal The model as it was asked for: for adapters. Throws TypeError for a language model. */
  static embeddingModelOf(session: Session): string {
    return session.#embeddingOnly('embed()').model;
  }

  /**
   * What the session has done and has to do: queue, batches, cache and latencies. Cheap enough to be asked every second,
   * at any time, also after `close()`. Throws TypeError for a language model.
   */
  stats(): SessionStats {
    return this.#embeddingOnly('stats()').stats();
  }

  /**
   * Ends the session: calls in flight reject with ERR_CLOSED, at once, and so does every later one. Resolves when the
   * threads have ended and the model's memory is free, or at once where other sessions of this process use the same
   * model. May be called again.
   */
  async close(): Promise<void> {
    await Promise.all([this.#embedding?.close(), this.#languageModel?.close()]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #embeddingOnly(member: string): EmbeddingSession {
    if (this.#embedding !== undefined) return this.#embedding;
    throw new TypeError(`session.${member} is for embedding models; ${this.#misuse}`);
  }
}

/** Any name that is no embedding model's is a language model's, so a slip of the keyboard ends there too. */
function slipHint(model: string): string {
  const meant = nearestKnownModel(model);
  return meant === undefined ? '' : `; did you mean the embedding model '${meant}'?`;
}

/** Failures that a slip would lead to: no server, a server without that model, options that only embeddings have. */
function withHint(error: unknown, hint: string): unknown {
  if (hint === '') return error;
  if (isGtewayError(error, 'ERR_LLM_HOST') || isGtewayError(error, 'ERR_LLM_MODEL_MISSING')) {
    return new GtewayError(error.code, error.message + hint, { cause: error.cause ?? error, details: error.details });
  }
  return error instanceof TypeError ? new TypeError(error.message + hint, { cause: error }) : error;
}
