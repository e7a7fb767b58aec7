/**
 * An answer that arrives in pieces, as one object with two faces: iterated, it gives the server's chunks; given to a
 * Response, it is a ReadableStream of server-sent events. Either face reads from the server only as fast as it is read.
 */
import { isGtewayError, type ErrorCode } from '../errors.js';

/** Where an `LlmStream` takes its chunks from. */
export interface ChunkSource<Chunk> {
  /** The next chunk; undefined after the last one, and after `cancel()`. */
  next(): Promise<Chunk | undefined>;
  /** Ends the HTTP request at once. Harmless at any time. */
  cancel(): void;
  /** The generated text in a chunk, if any. */
  textOf(chunk: Chunk): string;
  /** The event that ends the protocol's own streams, where it has one. */
  readonly farewell: string | undefined;
}

/** What the reader of a Response learns of a failure. The error's own message may name hosts that are none of its business. */
const publicMessages: Partial<Record<ErrorCode, string>> = {
  ERR_LLM_UNREACHABLE: 'the connection to the language model broke',
  ERR_LLM_STATUS: 'the language model reported an error',
  ERR_LLM_MODEL_MISSING: 'the language model is not available',
  ERR_LLM_PROTOCOL: 'the language model gave an answer that cannot be read',
  ERR_TIMEOUT: 'the language model took too long',
  ERR_ABORTED: 'the answer was aborted',
  ERR_CLOSED: 'the answer was aborted',
};

/**
 * A streaming answer. Read it one way, once:
 *
 * - `for await (const chunk of stream)`: the server's chunks, typed. Leaving the loop ends the HTTP request.
 * - `new Response(stream, { headers: { 'Content-Type': 'text/event-stream' } })`: each chunk as the JSON of one
 *   `data:` event; in `openaicompatible` mode `data: [DONE]` follows the last. A failure becomes an event named `error`
 *   whose data is `{"error": {"code", "message"}}`, and ends the stream. Cancelling the body ends the HTTP request.
 *   In Node and Bun `response.body` is this very object: read its bytes with `getReader()`, `pipeTo()` or `values()`.
 * - `textStream()`: the generated text alone, as it comes.
 * - `text()`: the generated text, when it is complete.
 *
 * What is not read is not fetched either: a stream that nobody reads keeps its connection until its signal is aborted or
 * its session closed. Failures carry the text that arrived before them in `error.details.received`.
 */
export class LlmStream<Chunk> extends ReadableStream<unknown> {
  readonly #source: ChunkSource<Chunk>;
  /**
   * A type only, no method. @types/node lets a Response have an iterable of bytes but forgets ReadableStream, and what
   * iterates here are chunks; so that `new Response(stream)` compiles there, this says it is an iterable of bytes too.
   */
  declare readonly [Symbol.iterator]: () => never;
  declare getReader: {
    (): ReadableStreamDefaultReader<Uint8Array>;
    (options: { mode: 'byob' }): ReadableStreamBYOBReader;
  };

  /** @internal */
  constructor(source: ChunkSource<Chunk>) {
    const encoder = new TextEncoder();
    let ended = false;
    const event = async (): Promise<string | undefined> => {
      try {
        const chunk = await source.next();
        if (chunk !== undefined) return `data: ${JSON.stringify(chunk)}\n\n`;
        ended = true;
        return source.farewell;
      } catch (error) {
        ended = true;
        return errorEvent(error);
      }
    };
    super(
      {
        async pull(controller) {
          const text = await event();
          if (text !== undefined) controller.enqueue(encoder.encode(text));
          if (ended) controller.close();
        },
        cancel: () => source.cancel(),
      },
      // Nothing is fetched before it is asked for.
      { highWaterMark: 0 },
    );
    this.#source = source;
  }

  override [Symbol.asyncIterator](): LlmChunkIterator<Chunk> {
    const source = this.#take();
    let over = false;
    const iterator: Omit<LlmChunkIterator<Chunk>, typeof Symbol.asyncDispose> = {
      async next() {
        if (over) return { done: true, value: undefined };
        try {
          const chunk = await source.next();
          if (chunk !== undefined) return { done: false, value: chunk };
        } catch (error) {
          over = true;
          throw error;
        }
        over = true;
        return { done: true, value: undefined };
      },
      // Not a generator: the return() of one would wait for a next() that may be waiting for the server.
      return() {
        over = true;
        source.cancel();
        return Promise.resolve({ done: true, value: undefined });
      },
      [Symbol.asyncIterator]: () => iterator as LlmChunkIterator<Chunk>,
    };
    const dispose = async (): Promise<void> => {
      await iterator.return();
    };
    return Object.assign(iterator, { [Symbol.asyncDispose]: dispose });
  }

  /** The generated text as it comes. An empty piece is never given. Cancelling it ends the HTTP request. */
  textStream(): ReadableStream<string> {
    const source = this.#take();
    return new ReadableStream<string>(
      {
        async pull(controller) {
          for (;;) {
            const chunk = await source.next();
            if (chunk === undefined) {
              controller.close();
              return;
            }
            const text = source.textOf(chunk);
            if (text !== '') {
              controller.enqueue(text);
              return;
            }
          }
        },
        cancel: () => source.cancel(),
      },
      { highWaterMark: 0 },
    );
  }

  /** The whole generated text, once the answer is complete. */
  async text(): Promise<string> {
    let text = '';
    for await (const chunk of this) text += this.#source.textOf(chunk);
    return text;
  }

  /** Takes the stream for one way of reading it, so that no other gets the half of it. */
  #take(): ChunkSource<Chunk> {
    if (this.locked) throw new TypeError('this stream is being read already; an answer can be read one way, once');
    this.getReader();
    return this.#source;
  }
}

/** What `for await` uses; to step by hand, call `next()`, and `return()` to end the HTTP request. */
export interface LlmChunkIterator<Chunk> extends AsyncIterableIterator<Chunk, undefined, undefined> {
  next(): Promise<IteratorResult<Chunk, undefined>>;
  return(): Promise<IteratorResult<Chunk, undefined>>;
  [Symbol.asyncIterator](): LlmChunkIterator<Chunk>;
  [Symbol.asyncDispose](): Promise<void>;
}

function errorEvent(error: unknown): string {
  const code = isGtewayError(error) ? error.code : 'ERR_INTERNAL';
  const message = publicMessages[code] ?? 'the answer failed';
  return `event: error\ndata: ${JSON.stringify({ error: { code, message } })}\n\n`;
}
