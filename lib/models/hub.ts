/**
 * The model hub's HTTP interface: what a repository holds, what a file's hash is, and a file's bytes from an offset.
 *
 * The token goes to the hub's own origin and to no other, so not to the storage host that large files redirect to.
 * Passing trouble (dropped connections, timeouts, 429, 5xx) is tried again with growing pauses.
 */
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import type { EnvHttpProxyAgent, fetch as undiciFetch, Response } from 'undici';
import { GtewayError } from '../errors.js';
import { hubEndpoint, hubTimeout, hubToken, isOffline } from './environment.js';
import { statusError, TransientError, transportError } from './hub-errors.js';
import { isCommit } from './names.js';
import { Watchdog } from './watchdog.js';

/** What the hub says about a file before it is fetched. */
export interface FileMetadata {
  /** sha256 (64 hex digits) for a large file, git blob hash (40) for others. */
  readonly etag: string;
  /** Size in bytes. */
  readonly size: number;
}

export interface RepositoryInfo {
  /** The commit that the revision stands at. */
  readonly commit: string;
  readonly files: readonly string[];
}

/** Bytes of a file as they arrive. */
export interface FileBody {
  /** The offset of the first byte: the one asked for, or 0 when the server does not do ranges. */
  readonly offset: number;
  readonly chunks: AsyncIterable<Uint8Array>;
}

/** Tries after the first, and the pause before each: 0.3, 0.6, 1.2 s. */
export const maxRetries = 3;
const firstPauseMs = 300;

/** A server that asks for a longer pause than this gets an error instead of a process that seems to hang. */
const longestPauseMs = 60_000;

/** Storage hosts take one hop, mirrors and renamed repositories one or two more. */
const maxRedirects = 6;

/** What a request is about, for the error when it fails. */
interface Subject {
  readonly repository: string;
  readonly revision: string;
  readonly file?: string;
}

interface Answer {
  readonly response: Response;
  /** Runs until the body is read or dropped. */
  readonly watchdog: Watchdog;
}

export class Hub {
  readonly endpoint: string;
  readonly #token: string | undefined;
  readonly #fetch: typeof undiciFetch;
  readonly #agent: EnvHttpProxyAgent;
  readonly #signal: AbortSignal | undefined;
  readonly #timeoutMs: number;
  readonly #watchdogs = new Set<Watchdog>();

  private constructor(
    endpoint: string,
    token: string | undefined,
    undici: typeof import('undici'),
    timeoutMs: number,
    signal: AbortSignal | undefined,
  ) {
    this.endpoint = endpoint;
    this.#token = token;
    this.#fetch = undici.fetch;
    // Its own agent, because Node's global one knows no proxy variables and lives as long as the process.
    this.#agent = new undici.EnvHttpProxyAgent({
      connect: { timeout: Math.min(timeoutMs, 10_000) },
      headersTimeout: 0,
      bodyTimeout: 0,
    });
    this.#signal = signal;
    this.#timeoutMs = timeoutMs;
  }

  /** A client for the hub the environment names. Opens no connection yet. `signal` ends everything it does. */
  static async connect(signal?: AbortSignal, timeoutMs: number = hubTimeout()): Promise<Hub> {
    const endpoint = hubEndpoint();
    const token = await hubToken();
    // Imported here: most processes find their model in the cache and never need it.
    return new Hub(endpoint, token, await import('undici'), timeoutMs, signal);
  }

  /** Drops all connections. */
  close(): void {
    for (const watchdog of this.#watchdogs) watchdog.stop();
    // Bun's stand-in for undici has the agent, without this method; its connections end by themselves.
    void (this.#agent as Partial<EnvHttpProxyAgent>).destroy?.();
  }

  async repositoryInfo(
    repository: string,
    revision: string,
    { retries = true }: { retries?: boolean } = {},
  ): Promise<RepositoryInfo> {
    const url = `${this.endpoint}/api/models/${repository}/revision/${encodeURIComponent(revision)}`;
    return this.#retrying(retries ? maxRetries : 0, async () => {
      const answer = await this.#request('GET', url, { repository, revision });
      const { sha, siblings } = parseObject(await text(this.#chunks(url, answer)));
      if (typeof sha !== 'string' || !isCommit(sha) || !Array.isArray(siblings)) {
        throw new GtewayError('ERR_HUB_STATUS', `${url} gave an answer that is not a model hub's; check HF_ENDPOINT`, {
          details: { url, status: answer.response.status },
        });
      }
      const files = siblings.flatMap((entry: { rfilename?: unknown } | null) =>
        typeof entry?.rfilename === 'string' ? [entry.rfilename] : [],
      );
      return { commit: sha, files };
    });
  }

  async fileMetadata(repository: string, commit: string, file: string): Promise<FileMetadata> {
    const url = this.#fileUrl(repository, commit, file);
    return this.#retrying(maxRetries, async () => {
      // The hash is in the hub's own answer; the storage host it redirects to has another idea of an ETag.
      const { response } = await this.#request('HEAD', url, { repository, revision: commit, file }, {}, (hop) =>
        ['x-linked-etag', 'x-linked-size'].every((header) => hop.headers.has(header)),
      );
      const etag = (response.headers.get('x-linked-etag') ?? response.headers.get('etag') ?? '')
        .replace(/^W\//, '')
        .replaceAll('"', '');
      const size = Number(
        response.headers.get('x-linked-size') ?? response.headers.get('content-length') ?? Number.NaN,
      );
      if (!/^[0-9a-f]{40}(?:[0-9a-f]{24})?$/.test(etag) || !Number.isSafeInteger(size) || size < 0) {
        throw new GtewayError(
          'ERR_HUB_INTEGRITY',
          `${url}: the hub states no hash and size to check the file against (ETag '${etag.slice(0, 80)}', ` +
            `size ${size}); if HF_ENDPOINT names a mirror, it is not a faithful one`,
          { details: { url } },
        );
      }
      return { etag, size };
    });
  }

  /** Starts fetching a file at byte `offset`. One try: the caller knows what has arrived and tries again from there. */
  async openFile(repository: string, commit: string, file: string, offset: number): Promise<FileBody> {
    const url = this.#fileUrl(repository, commit, file);
    // No If-Range: a commit's file never changes, and what was joined is checked against its hash.
    const headers: Record<string, string> = offset > 0 ? { range: `bytes=${offset}-` } : {};
    const answer = await this.#request('GET', url, { repository, revision: commit, file }, headers);
    const { response } = answer;
    const start = response.status === 206 ? rangeStart(response) : 0;
    if (start !== 0 && start !== offset) {
      await response.body?.cancel();
      throw new TransientError(
        new GtewayError('ERR_HUB_INTEGRITY', `${url}: asked for bytes from ${offset}, got them from ${start}`),
      );
    }
    return { offset: start, chunks: this.#chunks(url, answer) };
  }

  async *#chunks(url: string, { response, watchdog }: Answer): AsyncIterable<Uint8Array> {
    const reader = (response.body as ReadableStream<Uint8Array> | null)?.getReader();
    // Under Deno an aborted fetch does not always end a pending read; cancelling the reader does.
    const cancel = () => void reader?.cancel(watchdog.signal.reason).catch(() => undefined);
    watchdog.signal.addEventListener('abort', cancel);
    try {
      for (;;) {
        const { done, value } = (await reader?.read()) ?? { done: true };
        watchdog.signal.throwIfAborted();
        if (done) return;
        watchdog.feed();
        yield value;
        // A slow disk is no silence of the hub.
        watchdog.feed();
      }
    } catch (cause) {
      throw transportError(url, cause, this.#signal);
    } finally {
      watchdog.signal.removeEventListener('abort', cancel);
      cancel();
      this.#release(watchdog);
    }
  }

  #release(watchdog: Watchdog): void {
    watchdog.stop();
    this.#watchdogs.delete(watchdog);
  }

  #fileUrl(repository: string, commit: string, file: string): string {
    return `${this.endpoint}/${repository}/resolve/${commit}/${file.split('/').map(encodeURIComponent).join('/')}`;
  }

  /** One request, redirects followed. A status that is no success becomes an error; `enough` ends at an earlier hop. */
  async #request(
    method: 'GET' | 'HEAD',
    url: string,
    subject: Subject,
    headers: Record<string, string> = {},
    enough: (hop: Response) => boolean = () => false,
  ): Promise<Answer> {
    const watchdog = new Watchdog(this.#timeoutMs, this.#signal);
    this.#watchdogs.add(watchdog);
    let hasBody = false;
    try {
      let target = new URL(url);
      for (let hops = 0; hops <= maxRedirects; hops++) {
        const response = await this.#send(method, target, headers, watchdog);
        const location = [301, 302, 303, 307, 308].includes(response.status) ? response.headers.get('location') : null;
        if (response.ok || (location !== null && enough(response))) {
          hasBody = method === 'GET';
          return { response, watchdog };
        }
        if (location === null) {
          const [hasToken, own] = [this.#token !== undefined, this.#isOwn(target)];
          throw await statusError(response, target.href, subject, { hasToken, own });
        }
        await response.body?.cancel();
        target = redirectTarget(location, target);
      }
      throw new GtewayError('ERR_HUB_STATUS', `${url} redirects in circles`, { details: { url } });
    } finally {
      if (!hasBody) this.#release(watchdog);
    }
  }

  async #send(
    method: 'GET' | 'HEAD',
    target: URL,
    headers: Record<string, string>,
    watchdog: Watchdog,
  ): Promise<Response> {
    const token = this.#isOwn(target) ? this.#token : undefined;
    try {
      const response = await this.#fetch(target.href, {
        method,
        redirect: 'manual',
        dispatcher: this.#agent,
        headers: {
          'user-agent': 'gteway',
          // Encoded bytes have neither the size nor the offsets that the hub states.
          'accept-encoding': 'identity',
          ...headers,
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        },
        signal: watchdog.signal,
      });
      watchdog.feed();
      return response;
    } catch (cause) {
      throw transportError(target.href, cause, this.#signal);
    }
  }

  #isOwn(target: URL): boolean {
    return target.origin === new URL(this.endpoint).origin;
  }

  async #retrying<T>(retries: number, attempt: () => Promise<T>): Promise<T> {
    for (let failures = 0; ;) {
      try {
        return await attempt();
      } catch (error) {
        if (!(error instanceof TransientError)) throw error;
        if (error.hopeless || failures >= retries) throw error.final;
        await this.pause(++failures, error);
      }
    }
  }

  /** Waits before the next try: as long as the server asked for, otherwise longer each time. */
  async pause(failures: number, error: TransientError): Promise<void> {
    const wanted = error.retryAfterMs ?? firstPauseMs * 2 ** (failures - 1);
    if (wanted > longestPauseMs) throw error.final;
    try {
      await sleep(wanted, undefined, this.#signal ? { signal: this.#signal } : {});
    } catch (cause) {
      throw transportError(this.endpoint, cause, this.#signal);
    }
  }

  /** One request to the endpoint itself; resolves with the status, rejects when nothing answers. */
  async ping(): Promise<number> {
    const response = await this.#fetch(this.endpoint, {
      method: 'HEAD',
      redirect: 'manual',
      dispatcher: this.#agent,
      ...(this.#signal ? { signal: this.#signal } : {}),
    });
    return response.status;
  }
}

/** The object that `text` is in JSON, or an empty one: a page of a captive portal has none of the fields either. */
function parseObject(text: string): Readonly<Record<string, unknown>> {
  try {
    const value = JSON.parse(text) as unknown;
    return typeof value === 'object' && value !== null ? { ...value } : {};
  } catch {
    return {};
  }
}

/** Where a redirect leads. Refuses to leave HTTP, and to go from an encrypted connection to a plain one. */
function redirectTarget(location: string, from: URL): URL {
  const next = URL.canParse(location, from.href) ? new URL(location, from) : undefined;
  if (next && (next.protocol === 'https:' || next.protocol === from.protocol)) return next;
  throw new GtewayError(
    'ERR_HUB_STATUS',
    `${from.origin}${from.pathname} redirects to ${next?.origin ?? 'nowhere'}; refused, as that is not HTTPS`,
    { details: { url: from.origin + from.pathname } },
  );
}

function rangeStart(response: Response): number {
  const match = /^bytes (\d+)-/.exec(response.headers.get('content-range') ?? '');
  return match ? Number(match[1]) : Number.NaN;
}

export interface HubProbe {
  /** The address that was tried. */
  readonly endpoint: string;
  readonly reachable: boolean;
  /** Why not. */
  readonly reason?: string;
}

/** Whether the hub answers within `timeoutMs`. Never rejects. */
export async function probeHub(timeoutMs = 5_000): Promise<HubProbe> {
  let endpoint = process.env.HF_ENDPOINT ?? '';
  let hub: Hub | undefined;
  try {
    endpoint = hubEndpoint();
    if (isOffline()) return { endpoint, reachable: false, reason: 'HF_HUB_OFFLINE is set' };
    hub = await Hub.connect(AbortSignal.timeout(timeoutMs), timeoutMs);
    const status = await hub.ping();
    if (status < 500) return { endpoint, reachable: true };
    return { endpoint, reachable: false, reason: `it answers with status ${status}` };
  } catch (error) {
    const { cause } = error as Error;
    const timedOut = (error as Error).name === 'TimeoutError';
    const reason = timedOut
      ? `no answer within ${timeoutMs} ms`
      : cause instanceof Error
        ? cause.message
        : String(error);
    return { endpoint, reachable: false, reason };
  } finally {
    hub?.close();
  }
}
