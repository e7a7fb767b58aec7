/** What goes wrong between here and the hub, as errors a person can act on; and which of it may pass. */
import type { Response } from 'undici';
import { GtewayError } from '../errors.js';

/** Trouble that may be gone on the next try. `final` is the error to throw when it is not. */
export class TransientError extends Error {
  readonly final: GtewayError;
  /** The pause the server asked for. */
  readonly retryAfterMs: number | undefined;
  /** Nothing is listening there, or there is no network: not worth a retry before anything has worked. */
  readonly hopeless: boolean;

  constructor(
    final: GtewayError,
    { retryAfterMs, hopeless = false }: { retryAfterMs?: number; hopeless?: boolean } = {},
  ) {
    super(final.message, { cause: final });
    this.final = final;
    this.retryAfterMs = retryAfterMs;
    this.hopeless = hopeless;
  }
}

const unreachableReasons: Readonly<Record<string, string>> = {
  ENOTFOUND: 'its name cannot be resolved',
  EAI_AGAIN: 'name resolution does not work (no network?)',
  ECONNREFUSED: 'nothing listens there',
  EHOSTUNREACH: 'there is no route to it',
  ENETUNREACH: 'there is no network',
  ECONNRESET: 'the connection was dropped',
  EPIPE: 'the connection was dropped',
  ETIMEDOUT: 'it does not answer, or stopped in the middle',
  UND_ERR_SOCKET: 'the connection was dropped',
  UND_ERR_CONNECT_TIMEOUT: 'it does not answer',
};

const hopelessCodes = new Set(['ENOTFOUND', 'EAI_AGAIN', 'ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH']);

/** A request or body that broke off. Returns ERR_ABORTED when it was `signal` that ended it. */
export function transportError(
  url: string,
  cause: unknown,
  signal: AbortSignal | undefined,
): GtewayError | TransientError {
  const address = shown(url);
  if (signal?.aborted) {
    return new GtewayError('ERR_ABORTED', `fetching ${address} was aborted`, {
      cause: signal.reason,
      details: { url: address },
    });
  }
  const inner = innermost(cause);
  const code = inner.code ?? '';
  const { origin } = new URL(url);
  const certificate = /CERT|SSL|TLS|SELF_SIGNED|VERIFY/.test(code);
  const advice = certificate
    ? 'A proxy that re-encrypts needs its certificate in NODE_EXTRA_CA_CERTS.'
    : 'Check the network and proxy (HTTPS_PROXY), name a mirror in HF_ENDPOINT, or use a model that is on this machine.';
  const error = new GtewayError(
    'ERR_HUB_UNREACHABLE',
    `the model hub at ${origin} cannot be reached: ${unreachableReasons[code] ?? inner.message}. ${advice}`,
    { cause, details: { url: address, errno: code } },
  );
  return certificate ? error : new TransientError(error, { hopeless: hopelessCodes.has(code) });
}

/** fetch wraps what happened one or two deep; several addresses tried make an AggregateError. */
function innermost(error: unknown): Error & { code?: string } {
  let current = error as Error & { code?: string; errors?: unknown[] };
  for (let depth = 0; depth < 5; depth++) {
    const next = current.cause instanceof Error ? current.cause : current.errors?.[0];
    if (!(next instanceof Error)) break;
    current = next;
  }
  return current;
}

/** The error for an answer that is no success. Reads nothing of the body: it may be long, and is not ours to show. */
export async function statusError(
  response: Response,
  url: string,
  subject: { repository: string; revision: string; file?: string },
  { hasToken, own }: { hasToken: boolean; own: boolean },
): Promise<GtewayError | TransientError> {
  await response.body?.cancel().catch(() => undefined);
  const { status } = response;
  const { repository, revision, file } = subject;
  const address = shown(url);
  const details = { status, url: address, ...subject };
  const errorCode = response.headers.get('x-error-code') ?? '';
  const { origin } = new URL(url);

  if (status === 429 || status >= 500 || status === 408) {
    const retryAfterMs = retryAfter(response.headers.get('retry-after'));
    const asked = retryAfterMs === undefined ? '' : ` and asks to wait ${Math.ceil(retryAfterMs / 1000)} s`;
    const advice =
      status === 429
        ? hasToken
          ? 'Wait a while.'
          : 'Wait a while, or set HF_TOKEN: a known user may ask more often.'
        : 'Try again later, or name a mirror in HF_ENDPOINT.';
    const error = new GtewayError(
      'ERR_HUB_STATUS',
      `the model hub answers ${status}${asked} to ${address}. ${advice}`,
      {
        details: { ...details, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) },
      },
    );
    return new TransientError(error, retryAfterMs === undefined ? {} : { retryAfterMs });
  }
  if (own && status === 401) {
    // The hub answers so, and not 404, to anonymous requests for repositories that do not exist.
    return new GtewayError(
      'ERR_HUB_ACCESS',
      `the model hub answers 401 for '${repository}': ` +
        (hasToken
          ? 'it does not accept the access token (HF_TOKEN, or the token file of HF_HOME); renew it.'
          : 'there is no such repository, or it is private. Check the name; for a private one set HF_TOKEN.'),
      { details },
    );
  }
  if (own && status === 403) {
    return new GtewayError(
      'ERR_HUB_ACCESS',
      errorCode === 'GatedRepo'
        ? `'${repository}' is gated: accept its terms at ${origin}/${repository}, then set HF_TOKEN to a token of that account`
        : `the model hub answers 403 for '${repository}': this token may not read it. Set HF_TOKEN to one that may.`,
      { details },
    );
  }
  if (own && (status === 404 || status === 410)) {
    const what =
      errorCode === 'RevisionNotFound'
        ? `'${repository}' has no revision '${revision}'`
        : file !== undefined
          ? `'${repository}' has no file '${file}' at ${revision}`
          : `there is no repository '${repository}' on ${origin}, or this token may not see it`;
    return new GtewayError('ERR_MODEL_NOT_FOUND', `${what}. Check the name.`, { details });
  }
  return new GtewayError(
    'ERR_HUB_STATUS',
    `${own ? 'the model hub' : `the storage host ${origin}`} answers ${status} to ${address}`,
    { details },
  );
}

/** Without the query: in the address of a storage host it is a signature that grants access. */
function shown(url: string): string {
  const { origin, pathname } = new URL(url);
  return origin + pathname;
}

/** Retry-After in milliseconds: a number of seconds, or a date. */
function retryAfter(header: string | null): number | undefined {
  if (header === null) return undefined;
  if (/^\d+$/.test(header.trim())) return Number(header) * 1000;
  const date = Date.parse(header);
  return Number.isNaN(date) ? undefined : Math.max(0, date - Date.now());
}
