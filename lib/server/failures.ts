/**
 * Everything a request can end with besides an answer: one table from the kind of failure to each API's status, and one
 * from the library's error codes to the kind. Each API gets errors in the shape its own clients read.
 */
import type { FastifyError } from 'fastify';
import { type ErrorCode, isGtewayError } from '../errors.js';
import { requestProblem } from './validation.js';

/**
 * Whose clients a route is for: OpenAI's, text-embeddings-inference's (and everything without an API), Ollama's, Cohere's
 * (and Jina's), which has OpenAI's statuses.
 */
export type Api = StatusApi | 'cohere';
type StatusApi = 'openai' | 'tei' | 'ollama';

export type FailureKind =
  | 'malformed' // not HTTP or not JSON
  | 'invalid' // JSON, but not what the route takes
  | 'unauthorized'
  | 'unknown-model'
  | 'unknown-route'
  | 'slow-client' // the request did not arrive in time
  | 'body-too-large'
  | 'too-many-texts'
  | 'text-too-long'
  | 'media-type'
  | 'headers-too-large'
  | 'overloaded'
  | 'unavailable' // loading or closing
  | 'timeout' // admitted, but not done in time
  | 'inference'
  | 'internal'
  | 'client-gone'; // nobody reads this one; the log and the metrics do

interface FailureRow {
  readonly status: Readonly<Record<StatusApi, number>>;
  /** OpenAI's `error.type` and `error.code`. */
  readonly openai: readonly [type: string, code: string | null];
  /** text-embeddings-inference's `error_type`. */
  readonly tei: 'Unhealthy' | 'Backend' | 'Overloaded' | 'Validation' | 'Tokenizer';
  /** Seconds for Retry-After. */
  readonly retryAfter?: number;
}

function row(
  status: number | Readonly<Record<StatusApi, number>>,
  openai: FailureRow['openai'],
  tei: FailureRow['tei'],
  retryAfter?: number,
): FailureRow {
  return {
    status: typeof status === 'number' ? { openai: status, tei: status, ollama: status } : status,
    openai,
    tei,
    ...(retryAfter === undefined ? {} : { retryAfter }),
  };
}

const invalidRequest = 'invalid_request_error';

/** text-embeddings-inference says 413 for what breaks its limits, 422 for what it cannot read and 424 for its engine. */
export const failureTable: Readonly<Record<FailureKind, FailureRow>> = {
  malformed: row(400, [invalidRequest, null], 'Validation'),
  invalid: row({ openai: 400, tei: 422, ollama: 400 }, [invalidRequest, null], 'Validation'),
  unauthorized: row(401, [invalidRequest, 'invalid_api_key'], 'Validation'),
  'unknown-model': row(404, [invalidRequest, 'model_not_found'], 'Validation'),
  'unknown-route': row(404, [invalidRequest, 'unknown_url'], 'Validation'),
  'slow-client': row(408, [invalidRequest, null], 'Validation'),
  'body-too-large': row(413, [invalidRequest, null], 'Validation'),
  'too-many-texts': row({ openai: 400, tei: 413, ollama: 400 }, [invalidRequest, null], 'Validation'),
  'text-too-long': row(
    { openai: 400, tei: 413, ollama: 400 },
    [invalidRequest, 'context_length_exceeded'],
    'Validation',
  ),
  'media-type': row(415, [invalidRequest, null], 'Validation'),
  'headers-too-large': row(431, [invalidRequest, null], 'Validation'),
  overloaded: row(429, ['rate_limit_error', 'rate_limit_exceeded'], 'Overloaded', 1),
  unavailable: row(503, ['server_error', null], 'Unhealthy', 1),
  timeout: row(504, ['server_error', null], 'Overloaded'),
  inference: row({ openai: 500, tei: 424, ollama: 500 }, ['server_error', null], 'Backend'),
  internal: row(500, ['server_error', null], 'Backend'),
  'client-gone': row(499, ['server_error', null], 'Backend'),
};

/** What each of the library's errors means to a client. A server never meets those of language models and hubs. */
export const kindOfCode: Readonly<Record<ErrorCode, FailureKind>> = {
  ERR_MODEL_NOT_FOUND: 'internal',
  ERR_MODEL_INVALID: 'internal',
  ERR_MODEL_UNSUPPORTED: 'internal',
  ERR_TOKENIZER_INVALID: 'internal',
  ERR_TOKENIZER_UNSUPPORTED: 'internal',
  ERR_HUB_UNREACHABLE: 'internal',
  ERR_HUB_STATUS: 'internal',
  ERR_HUB_ACCESS: 'internal',
  ERR_HUB_INTEGRITY: 'internal',
  ERR_OFFLINE: 'internal',
  ERR_CACHE_WRITE: 'internal',
  ERR_NATIVE_LOAD: 'internal',
  ERR_RUNTIME_UNAVAILABLE: 'internal',
  ERR_DEVICE_UNAVAILABLE: 'internal',
  ERR_INFERENCE_FAILED: 'inference',
  ERR_OUT_OF_MEMORY: 'inference',
  ERR_INVALID_ARGUMENT: 'internal',
  ERR_INTERNAL: 'internal',
  ERR_TEXT_TOO_LONG: 'text-too-long',
  ERR_OVERLOADED: 'overloaded',
  ERR_CLOSED: 'unavailable',
  ERR_ABORTED: 'client-gone',
  ERR_TIMEOUT: 'timeout',
  ERR_LLM_HOST: 'internal',
  ERR_LLM_UNREACHABLE: 'internal',
  ERR_LLM_STATUS: 'internal',
  ERR_LLM_MODEL_MISSING: 'internal',
  ERR_LLM_PROTOCOL: 'internal',
};

/** A request that cannot be answered. The message goes to the client, so it holds nothing of the server's own. */
export class RequestFailure extends Error {
  override readonly name = 'RequestFailure';
  readonly kind: FailureKind;
  /** The field of the body that is to blame, for OpenAI's `error.param`. */
  readonly field: string | null;

  constructor(
    kind: FailureKind,
    message: string,
    { field = null, cause }: { field?: string | null; cause?: unknown } = {},
  ) {
    super(message, cause === undefined ? undefined : { cause });
    this.kind = kind;
    this.field = field;
  }
}

const kindOfFrameworkCode: Readonly<Record<string, readonly [FailureKind, string?]>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: ['body-too-large'],
  FST_ERR_CTP_INVALID_MEDIA_TYPE: ['media-type', 'the body must be JSON, and its Content-Type application/json'],
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: ['malformed', 'the body is not as long as its Content-Length says'],
  FST_ERR_CTP_EMPTY_JSON_BODY: ['malformed', 'the body is empty; it must be a JSON object'],
  FST_ERR_CTP_INVALID_JSON_BODY: ['malformed', 'the body is not JSON'],
  FST_ERR_BAD_URL: ['malformed', 'the path of the URL is malformed'],
  FST_ERR_MAX_PARAM_LENGTH: ['unknown-route', 'the path of the URL is too long'],
  ECONNRESET: ['client-gone'],
  ERR_STREAM_PREMATURE_CLOSE: ['client-gone'],
};

/** Messages of these kinds may name files and addresses of the server: clients get a general one, the log the real one. */
const generalMessages: Partial<Record<FailureKind, string>> = {
  inference: 'the model failed while computing; the server’s log says why',
  internal: 'something went wrong in the server; its log says what',
};

/** Makes whatever was thrown into what the client is told. The original is `cause`. */
export function asFailure(error: unknown): RequestFailure {
  if (error instanceof RequestFailure) return error;
  if (isGtewayError(error)) {
    const kind = kindOfCode[error.code];
    return new RequestFailure(kind, generalMessages[kind] ?? error.message, { cause: error });
  }
  if (error instanceof Error) {
    const { code, statusCode, validation } = error as Partial<FastifyError>;
    if (validation !== undefined) {
      const { message, field } = requestProblem(validation);
      return new RequestFailure('invalid', message, { field, cause: error });
    }
    const [kind, message = error.message] = kindOfFrameworkCode[code ?? ''] ?? [];
    if (kind !== undefined) return new RequestFailure(kind, message, { cause: error });
    if (statusCode === 400)
      return new RequestFailure('malformed', `the body is not JSON: ${error.message}`, { cause: error });
  }
  return new RequestFailure('internal', generalMessages.internal ?? '', { cause: error });
}

export function statusFor(api: Api, kind: FailureKind): number {
  return failureTable[kind].status[api === 'cohere' ? 'openai' : api];
}

/** The body of the answer, in the API's own shape. */
export function failureBody(api: Api, { kind, message, field }: RequestFailure): object {
  const { openai, tei } = failureTable[kind];
  if (api === 'openai') return { error: { message, type: openai[0], param: field, code: openai[1] } };
  if (api === 'cohere') return { message };
  return api === 'tei' ? { error: message, error_type: tei } : { error: message };
}

/** Which API a path belongs to, where no route has said so. */
export function apiOfPath(path: string): Api {
  if (/^\/v[12]\/rerank\b/.test(path)) return 'cohere';
  if (path.startsWith('/v1/')) return 'openai';
  return path.startsWith('/api/') ? 'ollama' : 'tei';
}
