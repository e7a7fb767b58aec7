/**
 * Ollama's own protocol, through the `ollama` client: it writes the requests and gives the answers their types.
 *
 * The client gets a `fetch` of ours, because its own reading of answers prints, skips lines it cannot parse, and knows
 * no timeout. What it is given to read is one JSON object per line, each checked.
 *
 * The browser build, in all runtimes: the other one takes an image that is a string for the path of a file and reads
 * it, which no server may do with a string that a stranger sent.
 */
import { Ollama, type ChatResponse, type GenerateResponse } from 'ollama/browser';
import { rejectUnknownKeys } from '../arguments/known-names.js';
import type { Exchange } from './exchange.js';
import { JsonDocuments } from './json-documents.js';
import {
  chatOptionNames,
  generateOptionNames,
  runOptionNames,
  type OllamaChatOptions,
  type OllamaChatPrompt,
  type OllamaGenerateOptions,
} from './options.js';
import { withText, type GeneratedText, type OllamaChatResult, type OllamaGenerateResult } from './result.js';
import { reportedError } from './server-error.js';
import { LlmStream, type ChunkSource } from './stream.js';

type OllamaResponse = GenerateResponse | ChatResponse;

/** @throws {TypeError} for a prompt or options that Ollama has no use for */
export function checkOllamaRun(prompt: unknown, options: object): void {
  if (typeof prompt === 'string') {
    rejectUnknownKeys(options, generateOptionNames, 'session.run()');
    return;
  }
  const messages =
    typeof prompt === 'object' && prompt !== null ? (prompt as { messages?: unknown }).messages : undefined;
  if (!Array.isArray(messages)) {
    throw new TypeError(
      `session.run(): the prompt must be a string or an object with messages, got ${prompt === null ? 'null' : typeof prompt}`,
    );
  }
  if ('system' in options) {
    throw new TypeError(
      "session.run(): with messages there is no 'system' option; begin the messages with { role: 'system', content }",
    );
  }
  rejectUnknownKeys(options, chatOptionNames, 'session.run()');
}

export async function runOllama(
  exchange: Exchange,
  base: string,
  model: string,
  prompt: string | OllamaChatPrompt,
  options: OllamaGenerateOptions | OllamaChatOptions,
): Promise<OllamaGenerateResult | OllamaChatResult | LlmStream<GenerateResponse> | LlmStream<ChatResponse>> {
  const { stream = false } = options;
  const passed = bodyOptions(options);
  const client = new Ollama({
    host: base,
    fetch: async (input, init) => {
      const response = await exchange.send(input as string, init ?? {});
      return stream ? checkedLines(exchange, response) : checkedMessage(exchange, await exchange.whole(response));
    },
  });
  if (typeof prompt === 'string') {
    const body = { model, ...passed, prompt };
    if (stream) return streamOf(exchange, await client.generate({ ...body, stream: true }));
    return resultOf(exchange, await client.generate({ ...body, stream: false }));
  }
  // The client puts the encoded images into the messages it is given, and those are the caller's.
  const messages = prompt.messages.map((message) => ({ ...message }));
  const body = { model, ...passed, ...prompt, messages };
  if (stream) return streamOf(exchange, await client.chat({ ...body, stream: true }));
  return resultOf(exchange, await client.chat({ ...body, stream: false }));
}

/** What is left of the options for the server. */
function bodyOptions(options: object): object {
  const ours: readonly string[] = runOptionNames;
  return Object.fromEntries(Object.entries(options).filter(([name]) => !ours.includes(name)));
}

function streamOf<Chunk extends OllamaResponse>(exchange: Exchange, chunks: AsyncIterable<Chunk>): LlmStream<Chunk> {
  return new LlmStream<Chunk>(new OllamaChunks(exchange, chunks[Symbol.asyncIterator]()));
}

function resultOf<Message extends OllamaResponse>(exchange: Exchange, message: Message): Message & GeneratedText {
  exchange.end();
  return withText(message, textOf(message));
}

class OllamaChunks<Chunk extends OllamaResponse> implements ChunkSource<Chunk> {
  readonly farewell = undefined;
  readonly textOf = textOf;
  readonly #exchange: Exchange;
  readonly #chunks: AsyncIterator<Chunk>;

  constructor(exchange: Exchange, chunks: AsyncIterator<Chunk>) {
    this.#exchange = exchange;
    this.#chunks = chunks;
  }

  async next(): Promise<Chunk | undefined> {
    if (this.#exchange.isCancelled()) return undefined;
    try {
      const next = await this.#chunks.next();
      if (next.done !== true) {
        this.#exchange.progress();
        this.#exchange.received += textOf(next.value);
        return next.value;
      }
      await this.#exchange.finish();
      return undefined;
    } catch (error) {
      if (this.#exchange.isCancelled()) return undefined;
      throw this.#exchange.end(this.#exchange.explain(error));
    }
  }

  cancel(): void {
    this.#exchange.cancel();
  }
}

/** A whole answer for the client to parse, known to parse and to be no error. */
function checkedMessage(exchange: Exchange, body: string): Response {
  return new Response(JSON.stringify(parse(exchange, body)));
}

/** A streaming answer for the client to parse: one message per line, each checked, the last one marked as such. */
function checkedLines(exchange: Exchange, response: Response): Response {
  const encoder = new TextEncoder();
  const messages = readMessages(exchange, response);
  return new Response(
    new ReadableStream<Uint8Array>(
      {
        async pull(controller) {
          const next = await messages.next();
          if (next.done === true) controller.close();
          else controller.enqueue(encoder.encode(`${JSON.stringify(next.value)}\n`));
        },
      },
      { highWaterMark: 0 },
    ),
  );
}

async function* readMessages(exchange: Exchange, response: Response): AsyncGenerator<object, void, undefined> {
  const documents = new JsonDocuments();
  for await (const piece of exchange.pieces(response)) {
    for (const document of cut(exchange, documents, piece)) {
      const message = parse(exchange, document);
      // Some gateways drop `done` and leave the reason.
      if (typeof message.done_reason === 'string' && message.done_reason !== '') message.done = true;
      yield message;
      if (message.done === true) return;
    }
  }
  const what = documents.rest === '' ? 'before its last message' : `within a message: ${documents.rest.slice(0, 200)}`;
  throw exchange.failure('ERR_LLM_PROTOCOL', `the answer of ${exchange.facts.url} ended ${what}`);
}

function* cut(exchange: Exchange, documents: JsonDocuments, piece: string): Generator<string, void, undefined> {
  try {
    yield* documents.push(piece);
  } catch (error) {
    throw exchange.failure(
      'ERR_LLM_PROTOCOL',
      `${exchange.facts.url} did not answer with JSON: ${String(error)}`,
      error,
    );
  }
}

function parse(exchange: Exchange, text: string): { done?: unknown; done_reason?: unknown; error?: unknown } {
  let message: unknown;
  try {
    message = JSON.parse(text);
  } catch (error) {
    throw exchange.failure(
      'ERR_LLM_PROTOCOL',
      `${exchange.facts.url} answered with something that is no JSON: ${text.slice(0, 200)}`,
      error,
    );
  }
  if (typeof message !== 'object' || message === null) {
    throw exchange.failure('ERR_LLM_PROTOCOL', `${exchange.facts.url} answered with ${text}, which is no message`);
  }
  if ('error' in message && message.error !== null) throw reportedError(exchange.facts, message, exchange.received);
  return message;
}

function textOf(message: OllamaResponse): string {
  // What the server left out or set to null is no text, whatever the types promise.
  const { response, message: chat } = message as {
    response?: string | null;
    message?: { content?: string | null } | null;
  };
  return response ?? chat?.content ?? '';
}
