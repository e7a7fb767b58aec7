/** `session.run` of a language model, by the kind of prompt and options. Types only. */
import type { ChatResponse, GenerateResponse } from 'ollama/browser';
import type { ChatCompletionChunk } from './chat-completions.js';
import type {
  ChatCompletionOptions,
  ChatCompletionPrompt,
  OllamaChatOptions,
  OllamaChatPrompt,
  OllamaGenerateOptions,
} from './options.js';
import type { ChatCompletionResult, OllamaChatResult, OllamaGenerateResult } from './result.js';
import type { LlmStream } from './stream.js';

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
