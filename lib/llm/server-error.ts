/** What a server says about its own failure, in any of the shapes servers say it, as a GtewayError. */
import { GtewayError } from '../errors.js';

/** What the failing request was about, for messages and details. */
export interface RequestFacts {
  model: string;
  /** Where the request went, without credentials. */
  url: string;
}

/** `details` of `ERR_LLM_STATUS` and `ERR_LLM_MODEL_MISSING`. */
export interface ServerErrorDetails extends RequestFacts {
  /** The HTTP status. 200 where the server reported a failure under it. */
  status: number;
  /** The server's own words. */
  serverMessage: string;
  /** Seconds the server asks to wait (Retry-After), where it does. */
  retryAfter?: number;
  /** Where a redirect that was not followed leads. */
  location?: string;
  /** What had arrived of the answer. */
  received?: string;
}

/** The error for a response whose status is not a success. `body` is as much of the body as was worth reading. */
export function statusError(facts: RequestFacts, response: Response, body: string): GtewayError {
  const { status } = response;
  const details: ServerErrorDetails = { ...facts, status, serverMessage: spokenError(body) ?? summary(response, body) };
  const retryAfter = parseRetryAfter(response.headers.get('retry-after'));
  if (retryAfter !== undefined) details.retryAfter = retryAfter;
  const location = response.headers.get('location');
  if (location !== null) details.location = location;
  return serverError(details, modelIsMissing(status, body));
}

/** The error for a failure that the server reported inside an answer of status 200. */
export function reportedError(facts: RequestFacts, reported: unknown, received: string): GtewayError {
  const serverMessage = spokenError(reported) ?? JSON.stringify(reported);
  // llama.cpp's server and OpenAI's put the status they would have sent into `code`.
  const code = field(reported, 'code');
  const status = typeof code === 'number' && code >= 400 && code < 600 ? code : 200;
  return serverError({ ...facts, status, serverMessage, received }, modelIsMissing(404, serverMessage));
}

function serverError(details: ServerErrorDetails, modelMissing: boolean): GtewayError {
  const { status, serverMessage, model, url } = details;
  if (modelMissing) {
    return new GtewayError(
      'ERR_LLM_MODEL_MISSING',
      `the server at ${url} does not have the model '${model}' (${serverMessage}); on an Ollama server: ollama pull ${model}`,
      { details: { ...details } },
    );
  }
  return new GtewayError(
    'ERR_LLM_STATUS',
    `the server at ${url} answered with status ${status}: ${serverMessage}${advice(details)}`,
    { details: { ...details } },
  );
}

function advice({ status, retryAfter, location }: ServerErrorDetails): string {
  if (location !== undefined && status >= 300 && status < 400) {
    return `; it redirects to ${location}, which is not followed: name that server in AI_INFERENCE_API_HOST`;
  }
  if (status === 401 || status === 403) return '; set AI_INFERENCE_API_KEY, or pass apiKey or headers';
  if (status === 404) return '; check the path in AI_INFERENCE_API_HOST and the mode';
  if (retryAfter !== undefined) return `; it asks to wait ${retryAfter} s`;
  return '';
}

/** The message in an error body or error value: Ollama's, OpenAI's, FastAPI's and gateways' shapes. */
function spokenError(body: unknown): string | undefined {
  if (typeof body === 'string') {
    try {
      return spokenError(JSON.parse(body) as unknown) ?? undefined;
    } catch {
      return undefined;
    }
  }
  for (const name of ['error', 'message', 'detail', 'title']) {
    const value = field(body, name);
    if (typeof value === 'string' && value !== '') return value;
    if (typeof value === 'object' && value !== null) {
      const inner = field(value, 'message');
      return typeof inner === 'string' && inner !== '' ? inner : JSON.stringify(value);
    }
  }
  return undefined;
}

/** What to quote of a body that is no JSON: the title of a page, the beginning of a text, or the status line. */
function summary(response: Response, body: string): string {
  const title = /<title[^>]*>([^<]*)<\/title>/i.exec(body)?.[1]?.trim();
  if (title) return title;
  const text = body.trim();
  if (text === '' || text.startsWith('<')) return response.statusText || 'no message';
  return text.length > 300 ? `${text.slice(0, 300)}…` : text;
}

/** A 404 is about the model where the server says so; otherwise about the path. */
function modelIsMissing(status: number, body: string): boolean {
  return status === 404 && /model/i.test(body) && /not[ _]found|does not exist|pull|no such|unknown/i.test(body);
}

/** Retry-After is either seconds or a date (RFC 9110, 10.2.3). */
function parseRetryAfter(value: string | null): number | undefined {
  if (value === null) return undefined;
  if (/^\d+$/.test(value.trim())) return Number(value);
  const date = Date.parse(value);
  return Number.isNaN(date) ? undefined : Math.max(0, Math.ceil((date - Date.now()) / 1000));
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}
