/** A server in this process, on a port of its own, with the fixture model; and its log. */
import { type IncomingHttpHeaders, request as httpRequest } from 'node:http';
import { onTestFinished } from 'vitest';
import { inject } from 'vitest';
import { readServeOptions, type ServeOptions } from '../../lib/server/options.js';
import { EmbeddingServer } from '../../lib/server/server.js';
import type { ModelRequest } from '../../lib/server/hosted-model.js';

/** What clients of the tests call the fixture model. */
export const modelName = 'gte-small';

export interface TestServer {
  readonly server: EmbeddingServer;
  readonly url: string;
  /** Parsed lines. */
  readonly log: readonly Readonly<Record<string, unknown>>[];
}

export interface StartOptions extends Partial<ServeOptions> {
  readonly models?: readonly ModelRequest[];
  /** Return before the models are loaded. */
  readonly loading?: boolean;
}

/** The caller closes it. */
export async function openServer({ models, loading, ...flags }: StartOptions = {}): Promise<TestServer> {
  const log: Readonly<Record<string, unknown>>[] = [];
  const options = readServeOptions({
    flags: { port: 0, threads: 2, dtype: 'fp32', ...flags },
    env: {},
    file: undefined,
  });
  const server = await EmbeddingServer.start(options, {
    models: models ?? [{ name: modelName, model: inject('fixture') }],
    version: '1.2.3',
    log: { write: (line) => void log.push(JSON.parse(line) as Readonly<Record<string, unknown>>) },
  });
  if (loading !== true) await server.ready;
  return { server, url: server.url, log };
}

/** Closed when the test ends. */
export async function startServer(options?: StartOptions): Promise<TestServer> {
  const started = await openServer(options);
  onTestFinished(() => started.server.close());
  return started;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  readonly json: unknown;
}

/** A request as it is, with nothing added but Content-Type and Content-Length. */
export function send(
  url: string,
  {
    method = 'POST',
    headers = {},
    body,
  }: { method?: string; headers?: Record<string, string>; body?: string | Buffer } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(url, {
      method,
      headers: {
        ...(body === undefined
          ? {}
          : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }),
        ...headers,
      },
    });
    request.on('error', reject);
    request.on('response', (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString();
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text, json: parsed(text) });
      });
    });
    request.end(body);
  });
}

export function post(url: string, body: unknown, headers?: Record<string, string>): Promise<Answer> {
  return send(url, { body: JSON.stringify(body), ...(headers === undefined ? {} : { headers }) });
}

export function get(url: string, headers: Record<string, string> = {}): Promise<Answer> {
  return send(url, { method: 'GET', headers });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
