/** Whole answers: the server's message as it came, with the generated text within reach. */
import type { ChatResponse, GenerateResponse } from 'ollama/browser';
import type { ChatCompletion } from './chat-completions.js';

/** What every whole answer has beside the server's own fields. None of it is enumerable. */
export interface GeneratedText {
  /** The generated text, whatever the server calls it; empty where the answer has none, such as a call of a tool. */
  readonly text: string;
  /** The text too, so that an answer can stand in a template string. */
  toString(): string;
  /**
   * The server's message, except where the answer is the value of a property named `content`: there it is its text.
   * That is the field where messages hold their text, in Ollama's and OpenAI's protocols and in tables of messages, so
   * `{ role: 'assistant', content: answer }` can be sent or stored as it stands.
   */
  toJSON(key: string): unknown;
}

/** Ollama's answer to a string. */
export type OllamaGenerateResult = GenerateResponse & GeneratedText;
/** Ollama's answer to a conversation. */
export type OllamaChatResult = ChatResponse & GeneratedText;
/** The answer of a server that speaks Chat Completions. */
export type ChatCompletionResult = ChatCompletion & GeneratedText;

/** Gives `message` the properties of `GeneratedText`. */
export function withText<Message extends object>(message: Message, text: string): Message & GeneratedText {
  const added: GeneratedText = {
    text,
    toString: () => text,
    toJSON: (key) => (key === 'content' ? text : { ...message }),
  };
  for (const [name, value] of Object.entries(added)) Object.defineProperty(message, name, { value });
  return message as Message & GeneratedText;
}
