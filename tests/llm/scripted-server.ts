/**
 * A stand-in for a language-model server that says, byte for byte, what a test scripts: a TCP server on loopback that
 * reads HTTP requests and hands each to the script. It counts its sockets, so that a test can see them close.
 */
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

export interface ScriptedRequest {
  method: string;
  path: string;
  headers: Record<string, string>;
  /** The parsed JSON body; undefined where there is none. */
  body: unknown;
}

export type Bytes = string | Uint8Array;
export type Script = (turn: Turn) => void | Promise<void>;

/** One request and the answer to it. */
export class Turn {
  readonly request: ScriptedRequest;
  readonly #socket: Socket;

  constructor(request: ScriptedRequest, socket: Socket) {
    this.request = request;
    this.#socket = socket;
  }

  /** Resolves when the connection has closed. */
  get closed(): Promise<void> {
    return new Promise((resolve) => {
      if (this.isClosed) resolve();
      else this.#socket.once('close', () => resolve());
    });
  }

  get isClosed(): boolean {
    return this.#socket.destroyed;
  }

  /** Bytes as they are. Resolves when the client has room for more, or is gone. */
  async write(bytes: Bytes): Promise<void> {
    if (this.isClosed || this.#socket.write(bytes)) return;
    await new Promise<void>((resolve) => {
      const go = (): void => {
        this.#socket.off('drain', go).off('close', go);
        resolve();
      };
      this.#socket.on('drain', go).on('close', go);
    });
  }

  head(status: number, headers: Record<string, string>): Promise<void> {
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    return this.write(`HTTP/1.1 ${status} ${reasons[status] ?? 'Status'}\r\n${lines.join('')}\r\n`);
  }

  /** A whole response. */
  async respond(status: number, headers: Record<string, string>, body: Bytes): Promise<void> {
    await this.head(status, { ...headers, 'content-length': String(Buffer.byteLength(body)) });
    await this.write(body);
  }

  /** A response whose pieces are chunks of their own, sent apart so that they arrive apart. */
  async pieces(type: string, pieces: readonly Bytes[]): Promise<void> {
    await this.head(200, { 'content-type': type, 'transfer-encoding': 'chunked' });
    for (const piece of pieces) await this.piece(piece);
  }

  async piece(piece: Bytes): Promise<void> {
    const bytes = Buffer.from(piece as string);
    await this.write(Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from('\r\n')]));
    await sleep(2);
  }

  /** Ends a response of pieces as it should end. */
  end(): Promise<void> {
    return this.write('0\r\n\r\n');
  }

  /** Breaks the connection off with a reset. */
  reset(): void {
    this.#socket.resetAndDestroy();
  }

  /** Closes the connection where it is. */
  hangUp(): void {
    this.#socket.destroy();
  }
}

const reasons: Record<number, string> = {
  200: 'OK',
  307: 'Temporary Redirect',
  401: 'Unauthorized',
  404: 'Not Found',
  429: 'Too Many Requests',
  500: 'Internal Server Error',
};

export class ScriptedServer {
  readonly requests: ScriptedRequest[] = [];
  /** What scripts threw, for `close()` to throw again. */
  readonly #errors: unknown[] = [];
  readonly #sockets = new Set<Socket>();
  readonly #server: Server;

  private constructor(script: Script) {
    this.#server = createServer((socket) => {
      socket.setNoDelay(true);
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
      socket.on('error', () => undefined);
      void this.#serve(socket, script);
    });
  }

  static async start(script: Script): Promise<ScriptedServer> {
    const server = new ScriptedServer(script);
    await new Promise<void>((resolve) => server.#server.listen(0, '127.0.0.1', resolve));
    return server;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Connections that are open now. */
  get sockets(): number {
    return this.#sockets.size;
  }

  /**
   * Resolves when the last connection has closed; rejects after `seconds`: fewer than the four after which idle ones
   * close by themselves.
   */
  async untilNoSockets(seconds = 3): Promise<void> {
    const until = performance.now() + seconds * 1000;
    while (this.sockets > 0) {
      if (performance.now() > until) throw new Error(`${this.sockets} sockets are still open after ${seconds} s`);
      await sleep(5);
    }
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
    if (this.#errors.length > 0) throw this.#errors[0];
  }

  async #serve(socket: Socket, script: Script): Promise<void> {
    try {
      for await (const request of requestsOf(socket)) {
        this.requests.push(request);
        await script(new Turn(request, socket));
      }
    } catch (error) {
      if (!socket.destroyed) this.#errors.push(error);
    }
  }
}

/** The HTTP requests on a connection, one after the other. Clients send JSON with a content-length. */
async function* requestsOf(socket: Socket): AsyncGenerator<ScriptedRequest> {
  let pending = Buffer.alloc(0);
  // Not `for await (… of socket)`: that would destroy the socket when the script stops listening.
  const arrivals = arrivalsOf(socket);
  for (;;) {
    let end = pending.indexOf('\r\n\r\n');
    while (end === -1) {
      const bytes = await arrivals.next();
      if (bytes === undefined) return;
      pending = Buffer.concat([pending, bytes]);
      end = pending.indexOf('\r\n\r\n');
    }
    const [line = '', ...fields] = pending.subarray(0, end).toString('latin1').split('\r\n');
    const headers = Object.fromEntries(
      fields.map((field) => [
        field.slice(0, field.indexOf(':')).toLowerCase(),
        field.slice(field.indexOf(':') + 1).trim(),
      ]),
    );
    const length = Number(headers['content-length'] ?? 0);
    pending = pending.subarray(end + 4);
    while (pending.length < length) {
      const bytes = await arrivals.next();
      if (bytes === undefined) return;
      pending = Buffer.concat([pending, bytes]);
    }
    const [method = '', path = ''] = line.split(' ');
    const body = length === 0 ? undefined : (JSON.parse(pending.subarray(0, length).toString()) as unknown);
    pending = pending.subarray(length);
    yield { method, path, headers, body };
  }
}

function arrivalsOf(socket: Socket): { next(): Promise<Buffer | undefined> } {
  const arrived: Buffer[] = [];
  let over = false;
  let wake = (): void => undefined;
  socket.on('data', (bytes: Buffer) => {
    arrived.push(bytes);
    wake();
  });
  const end = (): void => {
    over = true;
    wake();
  };
  socket.on('end', end);
  socket.on('close', end);
  return {
    async next() {
      while (arrived.length === 0 && !over) await new Promise<void>((resolve) => (wake = resolve));
      return arrived.shift();
    },
  };
}
