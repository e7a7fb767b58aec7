/**
 * One request to a language-model server and its answer: everything that can end it early (the caller's signal, the
 * timeout, the closing session, the reader who has had enough), and the error each of these becomes.
 *
 * Whatever ends it, the HTTP request is aborted at once and nothing stays behind: no timer, listener or socket.
 */
import { onAbort } from '../cancellation/abort-listeners.js';
import { GtewayError, isGtewayError, type ErrorCode } from '../errors.js';
import type { Connection } from './fetch.js';
import { statusError, type RequestFacts } from './server-error.js';

export interface ExchangeInit {
  connection: Connection;
  headers: Headers;
  model: string;
  /** Seconds. */
  timeout: number;
  signal?: AbortSignal | undefined;
  /** Called once, when the exchange is over. */
  onEnd: (exchange: Exchange) => void;
}

/** Timers of more than 2³¹ − 1 ms fire at once, in every runtime. */
const longestTimerMs = 2 ** 31 - 1;
/** Characters of a whole answer: far more than any model writes, and less than would endanger the process. */
const longestAnswer = 64 * 1024 * 1024;
/** An error page is read up to here. */
const longestErrorBody = 64 * 1024;
/** How long a finished answer may take to end its connection before that is closed from here. */
const farewellMs = 1000;
const mostRedirects = 5;

export class Exchange {
  /** The answer as far as it has arrived, for errors to carry: its body, or, when streaming, the generated text. */
  received = '';

  readonly #connection: Connection;
  readonly #headers: Headers;
  readonly #facts: RequestFacts;
  #timeout: number;
  readonly #signal: AbortSignal | undefined;
  readonly #onEnd: (exchange: Exchange) => void;
  readonly #stopListening: (() => void) | undefined;
  readonly #controller = new AbortController();
  readonly #onAbort = (): void => this.fail('ERR_ABORTED', 'the run was aborted', this.#signal?.reason);

  #reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  #failure: GtewayError | undefined;
  #over = false;
  #cancelled = false;
  /** Rejects the one wait that is going on. */
  #interrupt: ((reason: unknown) => void) | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #waitingSince = 0;
  #waitedMs = 0;

  constructor(init: ExchangeInit) {
    this.#connection = init.connection;
    this.#headers = init.headers;
    this.#facts = { model: init.model, url: '' };
    this.#timeout = init.timeout;
    this.#signal = init.signal;
    this.#onEnd = init.onEnd;
    this.#stopListening = this.#signal && onAbort(this.#signal, this.#onAbort);
  }

  get facts(): RequestFacts {
    return this.#facts;
  }

  /** Whether the reader ended the exchange, so that what its pending wait threw is no failure. */
  isCancelled(): boolean {
    return this.#cancelled;
  }

  /** Sends the request; resolves with the response once its headers are there and say success. */
  async send(input: string, init: RequestInit): Promise<Response> {
    const headers = new Headers(init.headers);
    this.#headers.forEach((value, name) => headers.set(name, value));
    // A signal that is aborted already sends no event.
    if (this.#signal?.aborted) this.#onAbort();
    let url = input;
    for (let hop = 0; ; hop++) {
      this.#facts.url = url;
      const request = { ...init, headers, redirect: 'manual', signal: this.#controller.signal } as const;
      const response = await this.#wait(() => this.#connection.fetch(url, request));
      if (response.ok) return response;
      const next = hop < mostRedirects ? safeRedirect(url, response) : undefined;
      if (next === undefined) {
        const body = await this.#errorBody(response);
        throw this.end(statusError(this.#facts, response, body));
      }
      await response.body?.cancel();
      url = next;
    }
  }

  /** The body as text, piece by piece, cut at no character. */
  async *pieces(response: Response): AsyncGenerator<string, void, undefined> {
    const decoder = new TextDecoder();
    const reader = (response.body as ReadableStream<Uint8Array> | null)?.getReader();
    this.#reader = reader;
    if (reader === undefined) return;
    for (;;) {
      const { done, value } = await this.#wait(() => reader.read());
      const piece = done ? decoder.decode() : decoder.decode(value, { stream: true });
      if (piece !== '') yield piece;
      if (done) {
        this.#reader = undefined;
        return;
      }
    }
  }

  /** The whole body. */
  async whole(response: Response): Promise<string> {
    for await (const piece of this.pieces(response)) {
      this.received += piece;
      if (this.received.length > longestAnswer) {
        throw this.failure('ERR_LLM_PROTOCOL', `the answer of ${this.#facts.url} exceeds ${longestAnswer} characters`);
      }
    }
    return this.received;
  }

  /** A chunk of a streaming answer has arrived, so the time for the next one begins when it is waited for. */
  progress(): void {
    this.#waitedMs = 0;
  }

  /** From here on less patience is enough. */
  shortenTimeout(seconds: number): void {
    this.#timeout = Math.min(this.#timeout, seconds);
  }

  /** The answer is complete. Reads on to the end of the body, which is near, so that the connection can be used again. */
  async finish(): Promise<void> {
    const reader = this.#reader;
    if (reader !== undefined && !this.#over) {
      this.#disarm();
      let timer: ReturnType<typeof setTimeout> | undefined;
      const late = new Promise<'late'>((resolve) => (timer = setTimeout(resolve, farewellMs, 'late')));
      const rest = (async () => {
        while (!(await reader.read()).done);
      })();
      // A connection that breaks now has nothing left to lose.
      const outcome = await Promise.race([rest, late]).catch(() => 'broken');
      clearTimeout(timer);
      if (outcome === 'late') {
        rest.catch(() => undefined);
        this.cancel();
      }
    }
    this.end();
  }

  /** The reader wants no more. */
  cancel(): void {
    if (this.#over) return;
    this.#cancelled = true;
    this.#stop(new GtewayError('ERR_ABORTED', 'the answer was not read to its end'));
  }

  /** Ends the exchange with a failure, which every wait on it gets. */
  fail(code: ErrorCode, message: string, cause?: unknown): void {
    if (this.#over) return;
    this.#failure = this.failure(code, message, cause);
    this.#stop(this.#failure);
  }

  /** A failure with what is known about this exchange. */
  failure(code: ErrorCode, message: string, cause?: unknown): GtewayError {
    const details = { ...this.#facts, received: this.received };
    return new GtewayError(code, message, cause === undefined ? { details } : { details, cause });
  }

  /** What a caught value means: the failure that ended the exchange, or the connection's own. */
  explain(error: unknown): GtewayError {
    if (this.#failure !== undefined) return this.#failure;
    if (isGtewayError(error)) return error;
    const where = this.#facts.url;
    const why = reason(error);
    const message =
      this.#reader === undefined
        ? `cannot reach the language-model server at ${where} (${why}); is it running, and is AI_INFERENCE_API_HOST right?`
        : `the connection to the language-model server at ${where} broke in the middle of its answer (${why})`;
    return this.failure('ERR_LLM_UNREACHABLE', message, error);
  }

  /** The exchange is over. With `error`, because of it, and it is returned to be thrown. */
  end<T extends GtewayError | undefined>(error?: T): T {
    this.#failure = error ?? this.#failure;
    if (!this.#over) {
      if (error === undefined) this.#settle();
      else this.#stop(error);
    }
    return error as T;
  }

  /** A wait on the network that a failure interrupts and the timeout limits. */
  async #wait<T>(start: () => Promise<T>): Promise<T> {
    if (this.#failure !== undefined) throw this.#failure;
    try {
      this.#arm();
      // Not Promise.race with one long-lived promise: that would keep every wait's reactions until the end.
      return await new Promise<T>((resolve, reject) => {
        this.#interrupt = reject;
        start().then(resolve, reject);
      });
    } catch (error) {
      throw this.#cancelled ? error : this.end(this.explain(error));
    } finally {
      this.#interrupt = undefined;
      this.#disarm();
    }
  }

  #arm(): void {
    this.#waitingSince = performance.now();
    const left = this.#timeout * 1000 - this.#waitedMs;
    if (left > longestTimerMs) return;
    this.#timer = setTimeout(() => {
      const what = this.received === '' ? 'nothing had arrived' : `${this.received.length} characters had arrived`;
      this.fail(
        'ERR_TIMEOUT',
        `the language-model server at ${this.#facts.url} did not answer within ${this.#timeout} s (${what}); raise the timeout option if it is just slow`,
      );
    }, left);
  }

  #disarm(): void {
    if (this.#timer !== undefined) clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#waitingSince !== 0) this.#waitedMs += performance.now() - this.#waitingSince;
    this.#waitingSince = 0;
  }

  #stop(error: GtewayError): void {
    this.#controller.abort(error);
    this.#reader?.cancel(error).catch(() => undefined);
    this.#interrupt?.(error);
    this.#settle();
  }

  #settle(): void {
    this.#over = true;
    this.#disarm();
    this.#stopListening?.();
    this.#connection.release(this.#failure === undefined && !this.#cancelled);
    this.#onEnd(this);
  }

  /** What an error response says. That its body breaks off or stalls is no news worth more than the status. */
  async #errorBody(response: Response): Promise<string> {
    let body = '';
    try {
      for await (const piece of this.pieces(response)) {
        body += piece;
        if (body.length > longestErrorBody) break;
      }
    } catch (error) {
      if (isGtewayError(error, 'ERR_ABORTED') || isGtewayError(error, 'ERR_CLOSED')) throw error;
    }
    return body;
  }
}

/**
 * Where a redirect leads, if it can be followed as it is meant: 307 and 308 keep the method and the body, the others
 * turn a POST into a GET; and only the same origin may see the headers that carry keys.
 */
function safeRedirect(from: string, response: Response): string | undefined {
  const location = response.headers.get('location');
  if (location === null || (response.status !== 307 && response.status !== 308)) return undefined;
  const next = URL.canParse(location, from) ? new URL(location, from) : undefined;
  return next?.origin === new URL(from).origin ? next.href : undefined;
}

/** The most telling words of a failed fetch: runtimes wrap the system's error in one or two of their own. */
function reason(error: unknown): string {
  const seen: string[] = [];
  for (let at: unknown = error; at instanceof Error && seen.length < 4; at = at.cause) {
    const { code } = at as Error & { code?: unknown };
    if (typeof code === 'string') return at.message.includes(code) ? at.message : `${code}: ${at.message}`;
    seen.push(at.message);
  }
  return seen.at(-1) ?? String(error);
}
