/**
 * The model hub's HTTP interface: what a repository holds, what a file's hash is, and a file's bytes from an offset.
 *
 * The token goes to the hub's own origin and to no other, so not to the storage host that large files redirect to.
 * Passing trouble (dropped connections, timeouts, 429, 5xx) is tried again with growing pauses.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { EnvHttpProxyAgent, fetch as undiciFetch, Response } from 'undici';
import { GtewayError } from '../errors.js';
import { hubEndpoint, hubTimeout, hubToken, isOffline } from './environment.js';
import { statusError, TransientError, transportError } from './hub-errors.js';
import { isCommit } from './names.js';

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

export class Hub {
  readonly endpoint: string;
  readonly #token: string | undefined;
  readonly #fetch: typeof undiciFetch;
  readonly #agent: EnvHttpProxyAgent;
  readonly #signal: AbortSignal | undefined;

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
    // Its own agent, because Node's global one waits 300 s for a silent server and knows no proxy variables.
    this.#agent = new undici.EnvHttpProxyAgent({
      connect: { timeout: Math.min(timeoutMs, 10_000) },
      headersTimeout: timeoutMs,
      bodyTimeout: timeoutMs,
    });
    this.#signal = signal;
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
    void this.#agent.destroy();
  }

  async repositoryInfo(
    repository: string,
    revision: string,
    { retries = true }: { retries?: boolean } = {},
  ): Promise<RepositoryInfo> {
    const url = `${this.endpoint}/api/models/${repository}/revision/${encodeURIComponent(revision)}`;
    return this.#retrying(retries ? maxRetries : 0, async () => {
      const response = await this.#request('GET', url, { repository, revision });
      const text = await response.text().catch((cause: unknown) => {
        throw transportError(url, cause, this.#signal);
      });
      const { sha, siblings } = parseObject(text);
      if (typeof sha !== 'string' || !isCommit(sha) || !Array.isArray(siblings)) {
        throw new GtewayError('ERR_HUB_STATUS', `${url} gave an answer that is not a model hub's; check HF_ENDPOINT`, {
          details: { url, status: response.status },
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
      const response = await this.#request('HEAD', url, { repository, revision: commit, file }, {}, (hop) =>
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
    const response = await this.#request('GET', url, { repository, revision: commit, file }, headers);
    const start = response.status === 206 ? rangeStart(response) : 0;
    if (start !== 0 && start !== offset) {
      await response.body?.cancel();
      throw new TransientError(
        new GtewayError('ERR_HUB_INTEGRITY', `${url}: asked for bytes from ${offset}, got them from ${start}`),
      );
    }
    return { offset: start, chunks: this.#chunks(url, response) };
  }

  async *#chunks(url: string, response: Response): AsyncIterable<Uint8Array> {
    if (!response.body) return;
    try {
      for await (const chunk of response.body as AsyncIterable<Uint8Array>) yield chunk;
    } catch (cause) {
      throw transportError(url, cause, this.#signal);
    }
  }

  #fileUrl(repository: string, commit: string, file: string): string {
    return `${this.endpoint}/${repository}/resolve/${commit}/${file.split('/').map(encodeURIComponent).join('/')}`;
  }

  /** One request, redirects followed. A status that is no success becomes an error; `enough` ends at an earlier hop. */
  async #request(
    method: 'GET' | 'HEAD',
    url: string,
    subject: { repository: string; revision: string; file?: string },
    headers: Record<string, string> = {},
    enough: (hop: Response) => boolean = () => false,
  ): Promise<Response> {
    const home = new URL(this.endpoint);
    let target = new URL(url);
    for (let hops = 0; hops <= maxRedirects; hops++) {
      const own = target.origin === home.origin;
      let response: Response;
      try {
        response = await this.#fetch(target.href, {
          method,
          redirect: 'manual',
          dispatcher: this.#agent,
          // Encoded bytes have neither the size nor the offsets that the hub states.
          headers: {
            'user-agent': 'gteway',
            'accept-encoding': 'identity',
            ...headers,
            ...(own && this.#token !== undefined ? { authorization: `Bearer ${this.#token}` } : {}),
          },
          ...(this.#signal ? { signal: this.#signal } : {}),
        });
      } catch (cause) {
        throw transportError(target.href, cause, this.#signal);
      }
      const location = response.headers.get('location');
      const redirects = [301, 302, 303, 307, 308].includes(response.status) && location !== null;
      if (response.ok || (redirects && enough(response))) return response;
      if (!redirects) {
        throw await statusError(response, target.href, subject, { hasToken: this.#token !== undefined, own });
      }
      await response.body?.cancel();
      if (!URL.canParse(location, target.href)) break;
      const next = new URL(location, target);
      if (!/^https?:$/.test(next.protocol) || (target.protocol === 'https:' && next.protocol === 'http:')) {
        throw new GtewayError('ERR_HUB_STATUS', `${url} redirects to ${next.origin}, which is not encrypted; refused`, {
          details: { url, status: response.status },
        });
      }
      target = next;
    }
    throw new GtewayError('ERR_HUB_STATUS', `${url} redirects in circles, or to nowhere`, { details: { url } });
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
