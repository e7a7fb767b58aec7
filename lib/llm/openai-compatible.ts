/**
 * Chat Completions as llamafile, llama.cpp's server, vLLM and others speak them: JSON for a whole answer, server-sent
 * events for one that streams, which `eventsource-parser` reads.
 */
import { createParser, type EventSourceMessage, type ParseError } from 'eventsource-parser';
import { rejectUnknownKeys } from '../arguments/known-names.js';
import type { ChatCompletion, ChatCompletionChunk } from './chat-completions.js';
import type { Exchange } from './exchange.js';
import { chatCompletionOptionNames, type ChatCompletionOptions, type ChatCompletionPrompt } from './options.js';
import { withText, type ChatCompletionResult } from './result.js';
import { reportedError } from './server-error.js';
import { LlmStream, type ChunkSource } from './stream.js';

/** Characters that one event may have. */
const longestEvent = 16 * 1024 * 1024;
/** How long `usage` and `[DONE]` may follow a finished answer. */
const farewellSeconds = 2;

/** @throws {TypeError} for a prompt or options that Chat Completions have no use for */
export function checkChatCompletionRun(model: string, prompt: unknown, options: ChatCompletionOptions): void {
  rejectUnknownKeys(options, chatCompletionOptionNames, "session.run() in mode 'openaicompatible'");
  if (typeof prompt === 'string') return;
  const body = (typeof prompt === 'object' && prompt !== null ? prompt : {}) as Record<string, unknown>;
  if (!Array.isArray(body.messages)) {
    throw new TypeError(
      'session.run(): the prompt must be a string or a Chat Completions body with messages, ' +
        `got ${prompt === null ? 'null' : typeof prompt}`,
    );
  }
  // A body taken from elsewhere may bring these; they must not say other than the session and the options do.
  if (body.model !== undefined && body.model !== model) {
    throw new TypeError(
      `session.run(): the body asks for the model ${JSON.stringify(body.model)}, this session is for '${model}'`,
    );
  }
  if (body.stream !== undefined && body.stream !== (options.stream ?? false)) {
    throw new TypeError('session.run(): whether the answer streams is said in the options, not in the body');
  }
}

export async function runChatCompletion(
  exchange: Exchange,
  base: string,
  model: string,
  prompt: string | ChatCompletionPrompt,
  options: ChatCompletionOptions,
): Promise<ChatCompletionResult | LlmStream<ChatCompletionChunk>> {
  const stream = options.stream ?? false;
  const body = typeof prompt === 'string' ? { messages: [{ role: 'user', content: prompt }] } : prompt;
  const response = await exchange.send(`${base.replace(/\/v1$/, '')}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: stream ? 'text/event-stream' : 'application/json' },
    body: JSON.stringify({ ...body, model, stream }),
  });
  const isJson = /\bjson\b/i.test(response.headers.get('content-type') ?? '');
  if (!stream || isJson) {
    const message = parse(exchange, await exchange.whole(response)) as ChatCompletion;
    if (stream) {
      const { url } = exchange.facts;
      throw exchange.failure('ERR_LLM_PROTOCOL', `${url} was asked for a stream and answered with a whole message`);
    }
    if (!Array.isArray(message.choices)) {
      throw exchange.failure('ERR_LLM_PROTOCOL', `the answer of ${exchange.facts.url} has no choices`);
    }
    exchange.end();
    return withText(message, textIn(message.choices[0], 'message'));
  }
  const answers = typeof prompt === 'string' ? 1 : (prompt.n ?? 1);
  return new LlmStream(new CompletionChunks(exchange, response, answers));
}

class CompletionChunks implements ChunkSource<ChatCompletionChunk> {
  readonly farewell = 'data: [DONE]\n\n';
  readonly #exchange: Exchange;
  readonly #pieces: AsyncGenerator<string, void, undefined>;
  readonly #events: EventSourceMessage[] = [];
  readonly #parser = createParser({
    onEvent: (event) => this.#events.push(event),
    onError: (error) => this.#onParseError(error),
    maxBufferSize: longestEvent,
  });
  /** Answers that have not said why they finished. When there is none, only `usage` and `[DONE]` can follow. */
  #unfinished: number;
  #bodyEnded = false;
  #done = false;

  /** @param answers how many answers to the prompt were asked for */
  constructor(exchange: Exchange, response: Response, answers: number) {
    this.#exchange = exchange;
    this.#pieces = exchange.pieces(response);
    this.#unfinished = answers;
  }

  textOf(chunk: ChatCompletionChunk): string {
    return textIn(chunk.choices[0], 'delta');
  }

  async next(): Promise<ChatCompletionChunk | undefined> {
    const exchange = this.#exchange;
    try {
      while (!exchange.isCancelled()) {
        const event = this.#events.shift();
        if (event !== undefined) {
          const chunk = this.#interpret(event);
          if (chunk !== undefined) return chunk;
        } else if (this.#done || (this.#bodyEnded && this.#unfinished <= 0)) {
          await exchange.finish();
          return undefined;
        } else if (this.#bodyEnded) {
          throw exchange.failure('ERR_LLM_PROTOCOL', `the answer of ${exchange.facts.url} ended before its last event`);
        } else await this.#read();
      }
      return undefined;
    } catch (error) {
      if (exchange.isCancelled()) return undefined;
      const failure = exchange.end(exchange.explain(error));
      // The answer is whole; that its connection broke or stalled instead of ending takes nothing from it.
      if (this.#unfinished <= 0 && (failure.code === 'ERR_LLM_UNREACHABLE' || failure.code === 'ERR_TIMEOUT')) {
        return undefined;
      }
      throw failure;
    }
  }

  cancel(): void {
    this.#exchange.cancel();
  }

  async #read(): Promise<void> {
    const { done, value } = await this.#pieces.next();
    if (done !== true) {
      this.#parser.feed(value);
      return;
    }
    // A last event whose blank line is missing is still an event.
    this.#parser.feed('\n\n');
    this.#bodyEnded = true;
  }

  #interpret({ event, data }: EventSourceMessage): ChatCompletionChunk | undefined {
    const exchange = this.#exchange;
    if (this.#done || event === 'ping') return undefined;
    if (data.trim() === '[DONE]') this.#done = true;
    if (this.#done || data.trim() === '') return undefined;
    if (event === 'error') throw reportedError(exchange.facts, parseLoosely(data), exchange.received);

    const chunk = parse(exchange, data) as ChatCompletionChunk;
    // A chunk with nothing but usage has no choices on some servers, and an empty list on others.
    if (!Array.isArray(chunk.choices)) chunk.choices = [];
    exchange.progress();
    exchange.received += this.textOf(chunk);
    this.#unfinished -= chunk.choices.filter(({ finish_reason }) => typeof finish_reason === 'string').length;
    if (this.#unfinished <= 0) exchange.shortenTimeout(farewellSeconds);
    return chunk;
  }

  #onParseError({ type, field, value, message }: ParseError): void {
    // llama.cpp's server reports failures in a field that the event stream format does not know.
    if (type === 'unknown-field' && field === 'error') this.#events.push({ event: 'error', data: value ?? '' });
    else if (type === 'max-buffer-size-exceeded') throw this.#exchange.failure('ERR_LLM_PROTOCOL', message);
  }
}

/** A message of the server, which is an object and no report of an error. */
function parse(exchange: Exchange, text: string): object {
  const message = parseLoosely(text);
  if (typeof message !== 'object' || message === null) {
    const { url } = exchange.facts;
    throw exchange.failure(
      'ERR_LLM_PROTOCOL',
      `${url} answered with something that is no JSON object: ${text.slice(0, 200)}`,
    );
  }
  if ('error' in message && message.error !== null)
    throw reportedError(exchange.facts, message.error, exchange.received);
  return message;
}

function parseLoosely(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

/** The text of a choice. What the server left out or set to null is no text, whatever the types promise. */
function textIn(choice: unknown, part: 'message' | 'delta'): string {
  const said = (choice as Record<string, { content?: string | null } | null> | undefined)?.[part];
  return said?.content ?? '';
}
