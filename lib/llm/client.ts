/** A session's side of a language-model server: it validates, opens one exchange per run, and ends them when it closes. */
import type { ChatResponse, GenerateResponse } from 'ollama/browser';
import { GtewayError } from '../errors.js';
import { rejectUnknownKeys } from '../arguments/known-names.js';
import type { ChatCompletionChunk } from './chat-completions.js';
import { Exchange } from './exchange.js';
import { closeIdleConnections, openConnection, type Connection } from './fetch.js';
import { LlmHost } from './host.js';
import { checkOllamaRun, runOllama } from './ollama.js';
import { checkChatCompletionRun, runChatCompletion } from './openai-compatible.js';
import {
  llmSessionOptionNames,
  type ChatCompletionOptions,
  type ChatCompletionPrompt,
  type LlmMode,
  type LlmRunOptions,
  type LlmSessionOptions,
  type OllamaChatOptions,
  type OllamaChatPrompt,
  type OllamaGenerateOptions,
} from './options.js';
import type { ChatCompletionResult, OllamaChatResult, OllamaGenerateResult } from './result.js';
import type { LlmStream } from './stream.js';

/** What a prompt may be, whatever the mode. */
export type LlmPrompt = string | OllamaChatPrompt | ChatCompletionPrompt;
/** What `run()` may resolve with. */
export type LlmResult =
  | OllamaGenerateResult
  | OllamaChatResult
  | ChatCompletionResult
  | LlmStream<GenerateResponse>
  | LlmStream<ChatResponse>
  | LlmStream<ChatCompletionChunk>;

const defaultTimeout = 60;

/**
 * Runs a model that a self-hosted server keeps: Ollama, or any server that speaks Chat Completions.
 *
 * The server is named by the `host` option or `AI_INFERENCE_API_HOST`, read here and now. That neither is set is an
 * error of `run()`, not of the constructor, so that code which makes its sessions at module level can handle it.
 */
export class LlmClient {
  readonly #model: string;
  readonly #host: LlmHost;
  readonly #fetch: typeof fetch | undefined;
  readonly #exchanges = new Set<Exchange>();
  #closed = false;

  /** @throws {TypeError} for options of the wrong name or type */
  constructor(model: string, options: LlmSessionOptions = {}) {
    rejectUnknownKeys(options, llmSessionOptionNames, 'new Session()');
    if (options.fetch !== undefined && typeof options.fetch !== 'function') {
      throw new TypeError(`new Session(): fetch must be a function, got ${typeof options.fetch}`);
    }
    this.#model = model;
    this.#host = new LlmHost(options);
    this.#fetch = options.fetch;
  }

  /**
   * Generates an answer to `prompt`.
   *
   * Resolves with the server's message and its `.text`, or, with `stream: true`, as soon as the server has accepted the
   * request, with an `LlmStream`.
   *
   * @throws {TypeError | RangeError} for a prompt or option that the mode does not have, or of the wrong type
   * @throws {GtewayError} `ERR_LLM_HOST`, `ERR_LLM_UNREACHABLE`, `ERR_LLM_STATUS`, `ERR_LLM_MODEL_MISSING`,
   *   `ERR_LLM_PROTOCOL`, `ERR_TIMEOUT`, `ERR_ABORTED`, `ERR_CLOSED`. `details` has `model`, `url`, what arrived before
   *   the failure as `received`, and for statuses `status`, `serverMessage`, `retryAfter` (seconds).
   */
  run(prompt: string, options?: OllamaGenerateOptions & { stream?: false }): Promise<OllamaGenerateResult>;
  run(prompt: string, options: OllamaGenerateOptions & { stream: true }): Promise<LlmStream<GenerateResponse>>;
  run(prompt: OllamaChatPrompt, options?: OllamaChatOptions & { stream?: false }): Promise<OllamaChatResult>;
  run(prompt: OllamaChatPrompt, options: OllamaChatOptions & { stream: true }): Promise<LlmStream<ChatResponse>>;
  run(
    prompt: string | ChatCompletionPrompt,
    options: ChatCompletionOptions & { stream?: false },
  ): Promise<ChatCompletionResult>;
  run(
    prompt: string | ChatCompletionPrompt,
    options: ChatCompletionOptions & { stream: true },
  ): Promise<LlmStream<ChatCompletionChunk>>;
  run(prompt: LlmPrompt, options?: LlmRunOptions): Promise<LlmResult>;
  async run(prompt: LlmPrompt, options: LlmRunOptions = {}): Promise<LlmResult> {
    const mode = checkRunOptions(options);
    if (mode === 'ollama') checkOllamaRun(prompt, options);
    else checkChatCompletionRun(this.#model, prompt, options as ChatCompletionOptions);
    const { base, headers } = this.#host.resolve(mode);
    this.#refuseIfClosed();
    const connection = await this.#connect();

    const exchange = new Exchange({
      connection,
      headers,
      model: this.#model,
      timeout: options.timeout ?? defaultTimeout,
      signal: options.signal,
      onEnd: (ended) => this.#exchanges.delete(ended),
    });
    this.#exchanges.add(exchange);
    try {
      if (mode === 'ollama') {
        return await runOllama(exchange, base, this.#model, prompt as string | OllamaChatPrompt, {
          ...(options as OllamaGenerateOptions),
        });
      }
      const chatPrompt = prompt as string | ChatCompletionPrompt;
      return await runChatCompletion(exchange, base, this.#model, chatPrompt, options as ChatCompletionOptions);
    } catch (error) {
      throw exchange.end(exchange.explain(error));
    }
  }

  /** Ends what is running, with `ERR_CLOSED`, and gives the connections back. May be called again. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const exchange of this.#exchanges) exchange.fail('ERR_CLOSED', 'the session was closed during the run');
    await closeIdleConnections();
  }

  async #connect(): Promise<Connection> {
    if (this.#fetch !== undefined) return { fetch: this.#fetch, release: () => undefined };
    const connection = await openConnection();
    if (this.#closed) connection.release(true);
    this.#refuseIfClosed();
    return connection;
  }

  #refuseIfClosed(): void {
    if (this.#closed) throw new GtewayError('ERR_CLOSED', 'session.run(): the session was closed');
  }
}

/** Checks what all modes share; the rest is the mode's own affair. */
function checkRunOptions(options: LlmRunOptions): LlmMode {
  const { mode = 'ollama', stream, timeout, signal } = options as Record<keyof LlmRunOptions, unknown>;
  if (mode !== 'ollama' && mode !== 'openaicompatible') {
    throw new TypeError(`session.run(): mode must be 'ollama' or 'openaicompatible', got ${JSON.stringify(mode)}`);
  }
  if (stream !== undefined && typeof stream !== 'boolean') {
    throw new TypeError(`session.run(): stream must be true or false, got ${typeof stream}`);
  }
  if (timeout !== undefined) {
    if (typeof timeout !== 'number') {
      throw new TypeError(`session.run(): timeout must be a number of seconds, got ${typeof timeout}`);
    }
    if (!(timeout > 0)) throw new RangeError(`session.run(): timeout must be more than 0 seconds, got ${timeout}`);
  }
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw new TypeError('session.run(): signal must be an AbortSignal');
  }
  return mode;
}
