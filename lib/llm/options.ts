/** What a caller may ask of a language-model session, and the names that are options at all. */
import type { ChatRequest, GenerateRequest, Message } from 'ollama/browser';
import type { ChatCompletionRequest } from './chat-completions.js';

/** The protocol the server speaks. */
export type LlmMode = 'ollama' | 'openaicompatible';

/** What a language-model session is made with. */
export interface LlmSessionOptions {
  /**
   * The server: `http://localhost:11434`, `https://example.com/ollama`, `box:8080`. A path is kept, a missing scheme
   * means http, and without a port either it is the server's usual one (11434 for Ollama, 8080 for llamafile).
   *
   * @default the environment variable AI_INFERENCE_API_HOST
   */
  host?: string;
  /**
   * The key of a server that wants one, sent as `Authorization: Bearer …`.
   *
   * @default the environment variable AI_INFERENCE_API_KEY
   */
  apiKey?: string;
  /** Sent with every request. An `authorization` here wins over `apiKey`. */
  headers?: Record<string, string>;
  /** Used instead of gteway's own HTTP client. Its own timeouts and connections are then yours to mind. */
  fetch?: typeof fetch;
}

export const llmSessionOptionNames = [
  'host',
  'apiKey',
  'headers',
  'fetch',
] as const satisfies readonly (keyof LlmSessionOptions)[];

/** What every run understands, whatever the server. */
export interface LlmRunOptions {
  /**
   * The protocol: Ollama's own, or OpenAI's Chat Completions as llamafile, llama.cpp's server and others speak it.
   *
   * @default 'ollama'
   */
  mode?: LlmMode;
  /**
   * Whether the answer comes chunk by chunk, as an `LlmStream`, instead of whole.
   *
   * @default false
   */
  stream?: boolean;
  /**
   * Seconds to wait: for the whole answer; when streaming, for the first chunk and for each chunk after it. Time a
   * slow reader takes does not count. `Infinity` waits for ever.
   *
   * @default 60
   */
  timeout?: number;
  /** Aborting it ends the HTTP request, at any time, also of an answer that is streaming. */
  signal?: AbortSignal;
}

/** Options of a run whose prompt is a string in `ollama` mode: those of Ollama's `/api/generate`. */
export interface OllamaGenerateOptions extends LlmRunOptions, Omit<GenerateRequest, 'model' | 'prompt' | 'stream'> {
  mode?: 'ollama';
}

/** Options of a run whose prompt has `messages` in `ollama` mode: those of Ollama's `/api/chat`. */
export interface OllamaChatOptions extends LlmRunOptions, Omit<ChatRequest, 'model' | 'messages' | 'stream'> {
  mode?: 'ollama';
}

/** Options of a run in `openaicompatible` mode; what the model should do is in the prompt's own fields. */
export interface ChatCompletionOptions extends LlmRunOptions {
  mode: 'openaicompatible';
}

/**
 * A conversation for `ollama` mode: the body of `/api/chat`. Images are bytes or base64. Fields that gteway does not
 * know are sent as they are. The same fields may be given as options of the run; those here win.
 */
export interface OllamaChatPrompt extends Omit<ChatRequest, 'model' | 'messages' | 'stream'> {
  messages: Message[];
}

/** A conversation for `openaicompatible` mode: the body of `/v1/chat/completions`, less `model` and `stream`. */
export type ChatCompletionPrompt = Omit<ChatCompletionRequest, 'model' | 'stream'>;

export const runOptionNames = ['mode', 'stream', 'timeout', 'signal'] as const;

// `satisfies Record<…>` fails to compile when Ollama's client learns an option that is not named here.
const generateNames = {
  ...{ suffix: 0, system: 0, template: 0, context: 0, raw: 0, format: 0, images: 0, keep_alive: 0, think: 0 },
  ...{ logprobs: 0, top_logprobs: 0, width: 0, height: 0, steps: 0, options: 0 },
} satisfies Record<Exclude<keyof OllamaGenerateOptions, keyof LlmRunOptions>, 0>;
const chatNames = {
  ...{ format: 0, keep_alive: 0, tools: 0, think: 0, logprobs: 0, top_logprobs: 0, options: 0 },
} satisfies Record<Exclude<keyof OllamaChatOptions, keyof LlmRunOptions>, 0>;

export const generateOptionNames: readonly string[] = [...runOptionNames, ...Object.keys(generateNames)];
export const chatOptionNames: readonly string[] = [...runOptionNames, ...Object.keys(chatNames)];
export const chatCompletionOptionNames: readonly string[] = runOptionNames;
