/** What `session.run` takes and gives, by the kind of model. Types only. */
import type { ChatResponse, GenerateResponse } from 'ollama/browser';
import type { DeadlineOptions } from './deadline.js';
import type { EmbedOptions } from './embed-options.js';
import type { ChatCompletionChunk } from './llm/chat-completions.js';
import type {
  ChatCompletionOptions,
  ChatCompletionPrompt,
  LlmSessionOptions,
  OllamaChatOptions,
  OllamaChatPrompt,
  OllamaGenerateOptions,
} from './llm/options.js';
import type { ChatCompletionResult, OllamaChatResult, OllamaGenerateResult } from './llm/result.js';
import type { LlmStream } from './llm/stream.js';
import type { KnownModelName } from './models/registry.js';
import type { EmbeddingSessionOptions } from './session-options.js';

/** A model that gives vectors, as far as its name tells: a known name, a directory or a hub repository. */
export type EmbeddingModelName =
  KnownModelName | `./${string}` | `../${string}` | `/${string}` | `~/${string}` | `${string}/${string}`;

/** Options of `session.run` with an embedding model: the Edge runtime's, and cancellation. */
export interface RunOptions extends DeadlineOptions {
  /**
   * `true`: one vector per text, the mean of its tokens' vectors. `false`: one vector per token.
   * @default one vector per text, pooled the way the model was trained: by mean for gte-small
   */
  mean_pool?: boolean;
  /** Scale each vector to length 1. @default true */
  normalize?: boolean;
}

/** Options of `session.embedStream`: those of `session.embed`, for one row per text and no end known. */
export interface EmbedStreamOptions extends Pick<EmbedOptions, 'normalize' | 'truncate' | 'dimensions' | 'signal'> {
  /** @default what the model was trained with */
  pooling?: 'mean' | 'cls';
  /**
   * What becomes of the stream when an item fails by itself: it is no string, it is too long and `truncate` is false, or
   * the model makes no finite numbers of it. `'throw'`: the stream rejects in its place, behind the rows before it.
   * `'continue'`: an Error takes the place of its row, and the stream goes on. `details.index` of a GtewayError is the
   * text's number in the stream, from 0.
   * @default 'throw'
   */
  onError?: 'throw' | 'continue';
}

type PerText = RunOptions & { mean_pool?: true };
type PerToken = RunOptions & { mean_pool: false };

/** `session.run` of an embedding model. Vectors are plain arrays; `session.embed` gives them without that copy. */
export interface RunEmbedding {
  /** One text: its vector. */
  (text: string, options?: PerText): Promise<number[]>;
  /** Several texts: a vector for each, in their order. */
  (texts: readonly string[], options?: PerText): Promise<number[][]>;
  /** One text: a vector for each of its tokens. */
  (text: string, options: PerToken): Promise<number[][]>;
  /** Several texts: for each of them, a vector for each of its tokens. */
  (texts: readonly string[], options: PerToken): Promise<number[][][]>;
}

/** `session.run` of a language model. */
export interface RunLanguageModel {
  /** Ollama's answer to a prompt. */
  (prompt: string, options?: OllamaGenerateOptions & { stream?: false }): Promise<OllamaGenerateResult>;
  (prompt: string, options: OllamaGenerateOptions & { stream: true }): Promise<LlmStream<GenerateResponse>>;
  /** Ollama's answer to a conversation. */
  (prompt: OllamaChatPrompt, options?: OllamaChatOptions & { stream?: false }): Promise<OllamaChatResult>;
  (prompt: OllamaChatPrompt, options: OllamaChatOptions & { stream: true }): Promise<LlmStream<ChatResponse>>;
  /** The answer of a server that speaks Chat Completions. */
  (
    prompt: string | ChatCompletionPrompt,
    options: ChatCompletionOptions & { stream?: false },
  ): Promise<ChatCompletionResult>;
  (
    prompt: string | ChatCompletionPrompt,
    options: ChatCompletionOptions & { stream: true },
  ): Promise<LlmStream<ChatCompletionChunk>>;
}

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
