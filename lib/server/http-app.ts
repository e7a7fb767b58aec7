/**
 * The HTTP side: fastify with its limits, hooks and routes. What a request passes: its id and its clock, the API key,
 * overload, its body within the limits and the budget, the route's schema, the route.
 */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerOptions } from 'node:http';
import type { Socket } from 'node:net';
import cors from '@fastify/cors';
import fastify, {
  type FastifyError,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  LogController,
} from 'fastify';
import type { ApiKeys } from './api-keys.js';
import { BodyBudget } from './body-budget.js';
import {
  apiOfPath,
  asFailure,
  failureBody,
  failureTable,
  type FailureKind,
  RequestFailure,
  statusFor,
} from './failures.js';
import { isoTime } from './log-lines.js';
import { ollamaRoutes, routes } from './routes/index.js';
import type { ServerContext } from './server-context.js';
import { ServerMetrics } from './server-metrics.js';
import { ajvOptions } from './validation.js';

/** Node's default, said aloud: more headers are 431. */
const maxHeaderBytes = 16 * 1024;

/** Longer than the 60 s that load balancers keep a connection, so that it is they who close it. */
const keepAliveMilliseconds = 72_000;

/** Bodies in memory, all requests together: a few of the largest. */
function bodyBudgetBytes(maxBody: number): number {
  return Math.max(64 * 2 ** 20, 8 * maxBody);
}

/** Pino's, with what people and log stores read without a table: level names and ISO times. */
const logFormat = {
  base: null,
  formatters: { level: (label: string) => ({ level: label }) },
  timestamp: () => `,"time":"${isoTime(Date.now())}"`,
};

export interface TlsFiles {
  readonly cert: Buffer;
  readonly key: Buffer;
}

export interface HttpApp {
  readonly app: FastifyInstance;
  /** Requests begun and not ended. */
  inFlight(): number;
  /** Calls back, once, when there is none. */
  onIdle(callback: () => void): void;
}

export interface LogDestination {
  write(line: string): void;
}

export async function createHttpApp(
  parts: Omit<ServerContext, 'metrics'>,
  keys: ApiKeys,
  tls: TlsFiles | undefined,
  log: LogDestination,
): Promise<HttpApp> {
  const { options, models } = parts;
  const budget = new BodyBudget(bodyBudgetBytes(options.maxBody));
  const life = new RequestLife();
  const metrics = new ServerMetrics(
    models,
    () => life.inFlight,
    () => budget.usedBytes,
  );
  const app = fastify({
    ...httpOptions(options, tls),
    bodyLimit: options.maxBody,
    keepAliveTimeout: keepAliveMilliseconds,
    requestTimeout: options.receiveTimeout * 1000,
    // A client that neither sends nor reads; waiting in the queue is no such thing and has its own timeout.
    connectionTimeout: (options.requestTimeout + options.receiveTimeout) * 1000 + 5000,
    // Closing is said by the routes themselves, in each API's shape.
    return503OnClosing: false,
    forceCloseConnections: 'idle',
    logger: { ...logFormat, level: options.logLevel, stream: log },
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: requestId,
    ajv: { customOptions: ajvOptions },
    clientErrorHandler: (error, socket) => {
      metrics.connectionFailed(answerUnreadable(error, socket));
    },
  }) as unknown as FastifyInstance;
  const context: ServerContext = { ...parts, metrics };

  app.removeContentTypeParser('text/plain');
  app.decorateRequest('work', null);
  app.decorateRequest('beganAt', 0);
  app.decorateRequest('releaseBody', null);
  app.addHook('onRequest', (request, reply, next) => {
    life.begin(request, reply, () => ended(context, request, reply));
    void reply.header('x-request-id', request.id);
    next();
  });
  app.addHook('onSend', (_request, reply, _payload, next) => {
    if (models.isClosing) void reply.header('connection', 'close');
    next();
  });
  if (options.corsOrigin.length > 0) {
    await app.register(cors, {
      origin: options.corsOrigin.includes('*') ? '*' : [...options.corsOrigin],
      allowedHeaders: ['authorization', 'content-type', 'x-request-id'],
      exposedHeaders: ['retry-after', 'x-request-id'],
      maxAge: 86_400,
    });
  }
  app.addHook('onRequest', (request, _reply, next) => {
    const { isPublic, embeds, reranks } = request.routeOptions.config;
    if (isPublic !== true) keys.check(request.headers.authorization);
    if (isPublic !== true && models.isClosing) throw new RequestFailure('unavailable', 'the server is closing');
    if ((embeds === true && models.areFull('embedding')) || (reranks === true && models.areFull('reranking')))
      throw new RequestFailure('overloaded', 'the queue is full; try again shortly');
    next();
  });
  app.addHook('preParsing', (request, _reply, payload, next) => {
    const announced = request.headers['content-length'];
    const counted = budget.counted(announced === undefined ? undefined : Number(announced), (release) => {
      request.releaseBody = release;
    });
    payload.on('error', (error: Error) => counted?.destroy(error));
    next(null, counted === undefined ? payload : payload.pipe(counted));
  });
  app.setErrorHandler((error: FastifyError, request, reply) => answerFailure(error, request, reply));
  app.setNotFoundHandler((request, reply) => answerFailure(unknownRoute(request), request, reply));

  for (const route of routes) route(app, context);
  await app.register((scope: FastifyInstance, _options: object, done: () => void) => {
    const parseJson = scope.getDefaultJsonParser('error', 'error');
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('*', { parseAs: 'string' }, parseJson);
    for (const route of ollamaRoutes) route(scope, context);
    done();
  });
  await app.ready();
  return { app, inFlight: () => life.inFlight, onIdle: (callback) => life.onIdle(callback) };
}

function httpOptions({ receiveTimeout }: ServerContext['options'], tls: TlsFiles | undefined): object {
  const milliseconds = receiveTimeout * 1000;
  const http: ServerOptions = {
    maxHeaderSize: maxHeaderBytes,
    headersTimeout: milliseconds,
    requestTimeout: milliseconds,
    connectionsCheckingInterval: Math.min(5000, Math.max(100, milliseconds / 4)),
  };
  return tls === undefined ? { http } : { https: { ...http, ...tls } };
}

/** What a proxy or client calls the request, where that can stand in a log; else a name of our own. */
function requestId(request: IncomingMessage): string {
  const given = request.headers['x-request-id'];
  return typeof given === 'string' && /^[\w.:-]{1,128}$/.test(given) ? given : randomUUID();
}

/** Counts requests in flight. Fastify's own hook for a request's end is not called when the client has gone. */
class RequestLife {
  inFlight = 0;
  #idleCallbacks: (() => void)[] = [];

  begin(request: FastifyRequest, reply: FastifyReply, ended: () => void): void {
    request.beganAt = performance.now();
    this.inFlight++;
    reply.raw.once('close', () => {
      this.inFlight--;
      request.releaseBody?.();
      ended();
      if (this.inFlight === 0) this.#tellIdle();
    });
  }

  onIdle(callback: () => void): void {
    this.#idleCallbacks.push(callback);
    if (this.inFlight === 0) this.#tellIdle();
  }

  #tellIdle(): void {
    const callbacks = this.#idleCallbacks;
    this.#idleCallbacks = [];
    for (const callback of callbacks) callback();
  }
}

/** One line of log and one count of metrics per request. No text of users, nor anything else of bodies and queries. */
function ended({ metrics }: ServerContext, request: FastifyRequest, reply: FastifyReply): void {
  const isComplete = reply.raw.writableFinished;
  const status = isComplete ? reply.statusCode : failureTable['client-gone'].status.tei;
  const route = request.is404 ? 'unknown' : (request.routeOptions.url ?? 'unknown');
  const milliseconds = performance.now() - request.beganAt;
  metrics.requestEnded(route, request.method, status, milliseconds / 1000);
  request.log.info(
    { method: request.method, route, status, ms: Math.round(milliseconds * 1000) / 1000, ...request.work },
    isComplete ? 'answered' : 'client gone',
  );
}

function answerFailure(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const failure = asFailure(error);
  const api = apiOfPath(request.url);
  const { retryAfter } = failureTable[failure.kind];
  const status = statusFor(api, failure.kind);
  if (status >= 500 && failure.cause !== undefined) request.log.error({ err: failure.cause }, failure.kind);
  if (retryAfter !== undefined) void reply.header('retry-after', retryAfter);
  if (failure.kind === 'unauthorized') void reply.header('www-authenticate', 'Bearer');
  return reply
    .code(status)
    .type('application/json; charset=utf-8')
    .send(JSON.stringify(failureBody(api, failure)));
}

const languageModelPaths = new Set([
  '/v1/chat/completions',
  '/v1/completions',
  '/v1/responses',
  '/api/chat',
  '/api/generate',
]);

function unknownRoute(request: FastifyRequest): RequestFailure {
  const path = request.url.replace(/\?.*$/s, '');
  const why = languageModelPaths.has(path)
    ? 'this server has embedding models only; language models are served by Ollama, llamafile and others themselves'
    : 'GET / shows what there is in a browser';
  return new RequestFailure('unknown-route', `there is no ${request.method} ${path.slice(0, 100)} here: ${why}`);
}

const kindOfConnectionError: Readonly<Record<string, readonly [FailureKind, string]>> = {
  HPE_HEADER_OVERFLOW: ['headers-too-large', `the headers are larger than ${maxHeaderBytes} bytes`],
  ERR_HTTP_REQUEST_TIMEOUT: ['slow-client', 'the request did not arrive in time'],
};

const reasonPhrases: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  408: 'Request Timeout',
  431: 'Request Header Fields Too Large',
};

/** Answers what is no HTTP request as well as it can be, and ends the connection. Returns the reason, for the metrics. */
function answerUnreadable(error: NodeJS.ErrnoException, socket: Socket): string {
  if (error.code === 'ECONNRESET' || socket.destroyed || !socket.writable) {
    socket.destroy();
    return 'reset';
  }
  const [kind, message] =
    kindOfConnectionError[error.code ?? ''] ?? (['malformed', 'this is not an HTTP request'] as const);
  const status = failureTable[kind].status.tei;
  const body = JSON.stringify(failureBody('tei', new RequestFailure(kind, message)));
  const head = [
    `HTTP/1.1 ${status} ${reasonPhrases[status] ?? ''}`,
    'Content-Type: application/json; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
  ];
  // A flood must not go on filling a socket that is only waiting for its last words to be read.
  socket.pause();
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`, () => socket.destroy());
  return kind;
}
