/**
 * Which server a language-model session talks to: the `host` option or `AI_INFERENCE_API_HOST`, and the headers that
 * open it. Both are read when the session is made; a session that never runs never needs them, so a missing or
 * unreadable host is an error of `run()`, where code that makes its sessions at module level can catch it.
 */
import { GtewayError } from '../errors.js';
import type { LlmMode, LlmSessionOptions } from './options.js';

/** The ports the servers themselves choose: Ollama's, and that of llamafile and llama.cpp's server. */
const usualPort: Record<LlmMode, number> = { ollama: 11434, openaicompatible: 8080 };

export class LlmHost {
  readonly #given: string | undefined;
  readonly #source: string;
  readonly #headers: Headers;

  /** @throws {TypeError} where an option has the wrong type, or a header is one that HTTP forbids */
  constructor(options: LlmSessionOptions) {
    const { host, apiKey, headers } = options;
    for (const [name, value] of Object.entries({ host, apiKey })) {
      if (value !== undefined && typeof value !== 'string') {
        throw new TypeError(`new Session(): ${name} must be a string, got ${typeof value}`);
      }
    }
    this.#source = host === undefined ? 'AI_INFERENCE_API_HOST' : 'the host option';
    const given = (host ?? environment('AI_INFERENCE_API_HOST'))?.trim();
    this.#given = given === '' ? undefined : given;
    this.#headers = new Headers(headers);
    // A secret read from a file often ends in a newline, which no header may hold.
    const key = (apiKey ?? environment('AI_INFERENCE_API_KEY'))?.trim();
    if (key && !this.#headers.has('authorization')) this.#headers.set('authorization', `Bearer ${key}`);
  }

  /**
   * The server's base URL (no trailing slash, no credentials) and the headers for it.
   *
   * A missing scheme means http. Without scheme and port, the port is the usual one of the mode's server.
   *
   * @throws {GtewayError} `ERR_LLM_HOST`
   */
  resolve(mode: LlmMode): { base: string; headers: Headers } {
    const given = this.#given;
    if (given === undefined) {
      throw new GtewayError(
        'ERR_LLM_HOST',
        'no language-model server is named: set AI_INFERENCE_API_HOST (such as http://localhost:11434) before the ' +
          'session is made, or pass the host option',
      );
    }
    const hasScheme = given.includes('://');
    const local = given.startsWith(':') ? `127.0.0.1${given}` : given;
    const text = hasScheme ? given : `http://${local}`;
    const url = URL.canParse(text) ? new URL(text) : undefined;
    if (url === undefined || !/^https?:$/.test(url.protocol) || url.search !== '' || url.hash !== '') {
      throw new GtewayError(
        'ERR_LLM_HOST',
        `${this.#source} must be an http or https URL without a query, such as http://localhost:11434; got '${redact(given)}'`,
      );
    }
    // URL drops the port 80, so whether one was named can only be read off the text.
    if (!hasScheme && !/^[^/]*:\d+(\/|$)/.test(local)) url.port = String(usualPort[mode]);

    const headers = new Headers(this.#headers);
    if (url.username !== '' || url.password !== '') {
      // fetch refuses URLs that carry credentials.
      const pair = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
      if (!headers.has('authorization')) headers.set('authorization', `Basic ${base64(pair)}`);
      url.username = '';
      url.password = '';
    }
    return { base: `${url.origin}${url.pathname.replace(/\/+$/, '')}`, headers };
  }
}

function base64(text: string): string {
  return btoa(String.fromCharCode(...new TextEncoder().encode(text)));
}

function redact(host: string): string {
  return host.replace(/\/\/[^/@]*@/, '//…@');
}

function environment(name: string): string | undefined {
  return typeof process === 'undefined' ? undefined : process.env[name];
}
