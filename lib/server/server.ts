/**
 * An embedding server from start to end: listens at once, answers 503 until its models are loaded, and closes without
 * dropping what runs.
 */
import { readFile, unlink } from 'node:fs/promises';
import { type AddressInfo, connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { FastifyBaseLogger } from 'fastify';
import type { EmbeddingSessionOptions } from '../engines/session-options.js';
import { ApiKeys } from './api-keys.js';
import { createHttpApp, type HttpApp, type LogDestination, type TlsFiles } from './http-app.js';
import { stdoutLines } from './log-lines.js';
import type { ServeOptions } from './options.js';
import type { ModelRequest } from './hosted-model.js';
import { ServedModels } from './served-models.js';

export interface ServerParts {
  readonly models: readonly ModelRequest[];
  /** Of the package. */
  readonly version: string;
  /** Where log lines go. @default stdout */
  readonly log?: LogDestination;
}

/** After the deadline, so long may answers take that tell why a request was given up. */
const lastWordsMilliseconds = 500;

export class EmbeddingServer {
  /** `http://127.0.0.1:8080`, or `unix:/run/gteway.sock` */
  readonly url: string;
  /** Resolves when every model is loaded and has passed its self-test; rejects with why one could not be. */
  readonly ready: Promise<void>;
  readonly log: FastifyBaseLogger;
  readonly #http: HttpApp;
  readonly #models: ServedModels;
  readonly #shutdownMilliseconds: number;
  #closed: Promise<void> | undefined;

  private constructor(url: string, http: HttpApp, models: ServedModels, options: ServeOptions) {
    this.url = url;
    this.#http = http;
    this.#models = models;
    this.#shutdownMilliseconds = options.shutdownTimeout * 1000;
    this.log = http.app.log;
    this.ready = this.#load(options);
    // Who starts a server may look at this later.
    this.ready.catch(() => undefined);
  }

  /** Listens; models load in the background. Rejects with what the system says where it cannot listen or read a file. */
  static async start(options: ServeOptions, parts: ServerParts): Promise<EmbeddingServer> {
    const keys = await ApiKeys.read(options.apiKey, options.apiKeyFile);
    const models = new ServedModels(parts.models);
    const context = { options, models, version: parts.version, startedAt: new Date() };
    const http = await createHttpApp(context, keys, await tlsFiles(options), parts.log ?? stdoutLines());
    const url = await listen(http, options);
    return new EmbeddingServer(url, http, models, options);
  }

  /**
   * Stops accepting and lets what runs finish, for as long as the shutdown timeout allows; then gives it up, with 503.
   * Resolves when the models' memory is free. May be called again.
   */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #load(options: ServeOptions): Promise<void> {
    const began = performance.now();
    try {
      await this.#models.load(sessionOptions(options));
    } catch (error) {
      if (this.#models.isClosing) return;
      throw error;
    }
    for (const { name, info } of this.#models.all) {
      const { engine, device, dtype, threads, maxTokens, fallbacks } = info;
      const dimensions = 'dimensions' in info ? { dimensions: info.dimensions } : {};
      this.log.info(
        { model: name, engine, device, dtype, threads, ...dimensions, maxTokens, fallbacks },
        'model loaded',
      );
    }
    this.log.info({ url: this.url, ms: Math.round(performance.now() - began) }, 'ready');
  }

  async #close(): Promise<void> {
    const { app } = this.#http;
    this.#models.beginClosing();
    this.log.info({ inFlight: this.#http.inFlight() }, 'closing');
    const closed = app.close();
    const idle = new Promise<'idle'>((resolve) => this.#http.onIdle(() => resolve('idle')));
    const stopWaiting = new AbortController();
    const deadline = sleep(this.#shutdownMilliseconds, 'deadline' as const, stopWaiting);
    if ((await Promise.race([idle, deadline])) === 'deadline') {
      this.log.warn({ inFlight: this.#http.inFlight() }, 'requests given up: the shutdown timeout has passed');
      await this.#models.close();
      await Promise.race([idle, sleep(lastWordsMilliseconds, undefined, stopWaiting)]);
    }
    stopWaiting.abort();
    // Those left are idle, or clients that never finished a request.
    app.server.closeAllConnections();
    await closed;
    await this.#models.close();
    this.log.info('closed');
  }
}

async function tlsFiles({ tlsCert, tlsKey }: ServeOptions): Promise<TlsFiles | undefined> {
  if (tlsCert === undefined || tlsKey === undefined) return undefined;
  const [cert, key] = await Promise.all([readFile(tlsCert), readFile(tlsKey)]);
  return { cert, key };
}

function sessionOptions(options: ServeOptions): EmbeddingSessionOptions {
  const { device, engine, dtype, threads, maxBatchTokens, maxQueue, vectorCache, cacheDir, offline } = options;
  return {
    maxQueue,
    ...(device === undefined ? {} : { device }),
    ...(engine === undefined ? {} : { engine }),
    ...(dtype === undefined ? {} : { dtype }),
    ...(threads === undefined ? {} : { threads }),
    ...(maxBatchTokens === undefined ? {} : { maxBatchTokens }),
    ...(vectorCache === undefined ? {} : { cache: { maxBytes: vectorCache } }),
    ...(cacheDir === undefined ? {} : { cacheDir }),
    ...(offline === undefined ? {} : { offline }),
  };
}

async function listen({ app }: HttpApp, { host, port, socket, tlsCert }: ServeOptions): Promise<string> {
  if (socket !== undefined) {
    await removeAbandoned(socket);
    await app.listen({ path: socket });
    return `unix:${socket}`;
  }
  await app.listen({ host, port });
  const address = app.server.address() as AddressInfo;
  const name = address.family === 'IPv6' ? `[${address.address}]` : address.address;
  return `${tlsCert === undefined ? 'http' : 'https'}://${name}:${address.port}`;
}

/** A server that was killed leaves its socket behind, and nobody listens there. */
async function removeAbandoned(path: string): Promise<void> {
  const code = await new Promise<string | undefined>((resolve) => {
    const probe = connect(path, () => {
      probe.destroy();
      resolve(undefined);
    });
    probe.on('error', (error: NodeJS.ErrnoException) => resolve(error.code));
  });
  if (code === 'ECONNREFUSED') await unlink(path);
}
