/** What no client should send: each gets a clear status, memory stays bounded, and the server goes on. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type Answer, get, modelName, openServer, post, send, type TestServer } from './serve-fixture.js';
import { until } from '../until.js';

let running: TestServer;
beforeAll(async () => {
  running = await openServer({ receiveTimeout: 1, maxBody: 2 ** 20, maxBatch: 64 });
});
afterAll(() => running.server.close());

afterEach(async () => {
  expect((await get(`${running.url}/health`)).status).toBe(200);
  expect((await post(`${running.url}/embed`, { inputs: 'still here' })).status).toBe(200);
  expect(running.log.filter(({ level }) => level === 'error' || level === 'fatal')).toEqual([]);
});

const routes = ['/v1/embeddings', '/embed', '/embed_all', '/similarity', '/tokenize', '/api/embed', '/api/embeddings'];

function open(): Socket {
  const socket = connect(Number(new URL(running.url).port), '127.0.0.1');
  socket.on('error', () => undefined);
  return socket;
}

function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.once('close', () => resolve()));
}

/** Everything the server says until it closes the connection. */
async function received(socket: Socket): Promise<string> {
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  if (!socket.closed) await closed(socket);
  return Buffer.concat(chunks).toString();
}

function statusesOf(answers: string): number[] {
  return [...answers.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status));
}

function bodyFor(route: string, input: unknown): Record<string, unknown> {
  if (route === '/v1/embeddings') return { model: modelName, input };
  if (route === '/api/embed') return { model: modelName, input };
  if (route === '/api/embeddings') return { model: modelName, prompt: input };
  if (route === '/similarity') return { inputs: { source_sentence: 'a', sentences: input } };
  return { inputs: input };
}

function expectRefusal({ status, json, text }: Answer, ...statuses: number[]): void {
  expect(statuses, text.slice(0, 300)).toContain(status);
  const { error } = json as { error: string | { message: string } };
  const message = typeof error === 'string' ? error : error.message;
  expect(message.length).toBeGreaterThan(10);
}

describe.each(routes)('%s', (route) => {
  const url = (): string => running.url + route;

  test('malformed JSON is 400', async () => {
    for (const body of [
      '',
      '{',
      '{"inputs": "x"',
      '\0',
      '{"input": NaN}',
      '{"input": Infinity}',
      "{'input': 'x'}",
      'null{}',
      '\xff\xfe',
    ]) {
      expectRefusal(await send(url(), { body }), 400);
    }
  });

  test('JSON that is no object of this route is refused', async () => {
    for (const body of ['null', '1', '"x"', '[]', '{}', 'true', '[[[]]]'])
      expectRefusal(await send(url(), { body }), 400, 422);
  });

  test('wrong types, deep nesting and unknown fields are refused', async () => {
    let deep: unknown = 'x';
    for (let i = 0; i < 500; i++) deep = [deep];
    for (const input of [
      null,
      1,
      1.5,
      -1,
      true,
      {},
      [null],
      [[null]],
      [1.5],
      [-1],
      [[1e300]],
      [{ a: 1 }],
      ['a', 1],
      [['a']],
      deep,
      [[], []],
    ]) {
      expectRefusal(await post(url(), bodyFor(route, input)), 400, 422);
    }
    expectRefusal(await post(url(), { ...bodyFor(route, ['x']), inptu: 1 }), 400, 422);
    const wrongModel = { ...bodyFor(route, ['x']), model: 7 };
    expectRefusal(await post(url(), wrongModel), 400, 422);
  });

  test('nesting of 400,000 levels is read and refused', async () => {
    const body = JSON.stringify(bodyFor(route, 'DEEP')).replace(
      '"DEEP"',
      `${'['.repeat(400_000)}${']'.repeat(400_000)}`,
    );
    expectRefusal(await send(url(), { body }), 400, 413, 422);
  });

  test('prototype pollution is refused', async () => {
    for (const name of ['__proto__', 'constructor']) {
      const body = JSON.stringify(bodyFor(route, ['x'])).replace(/^\{/, `{"${name}": {"prototype": {"polluted": 1}}, `);
      expectRefusal(await send(url(), { body }), 400, 422);
    }
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });

  test('too many texts', async () => {
    const many = Array.from({ length: 65 }, () => 'x');
    if (route !== '/api/embeddings') expectRefusal(await post(url(), bodyFor(route, many)), 400, 413);
  });
});

describe('bodies', () => {
  test('a body of 100 MB is 413 before it is sent, and memory does not grow', async () => {
    const before = process.memoryUsage.rss();
    const socket = open();
    const length = 100 * 2 ** 20;
    socket.write(
      `POST /embed HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${length}\r\n\r\n`,
    );
    expect(statusesOf(await received(socket))).toEqual([413]);
    expect(process.memoryUsage.rss() - before).toBeLessThan(50 * 2 ** 20);
  });

  test('so is one whose length is not announced, as soon as it is too large', async () => {
    const before = process.memoryUsage.rss();
    const socket = open();
    socket.write(
      'POST /embed HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n',
    );
    const answer = received(socket);
    const closing = closed(socket);
    const chunk = Buffer.concat([Buffer.from('10000\r\n'), Buffer.alloc(65_536, ' '), Buffer.from('\r\n')]);
    for (let i = 0; i < 1600 && !socket.closed && socket.writable; i++) {
      if (socket.write(chunk)) continue;
      await Promise.race([new Promise((resolve) => socket.once('drain', resolve)), closing]);
    }
    expect(statusesOf(await answer)).toEqual([413]);
    expect(process.memoryUsage.rss() - before).toBeLessThan(100 * 2 ** 20);
  });

  test('a body that is shorter or longer than it says', async () => {
    const short = open();
    short.end(
      'POST /embed HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"inputs":',
    );
    expect(statusesOf(await received(short))).toEqual([400]);
    const long = open();
    long.write(
      'POST /embed HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}{"inputs":"x"}',
    );
    // What follows is read while the first answer is in the making; nothing on such a connection can be trusted.
    expect(statusesOf(await received(long))).toEqual([400]);
  });

  test('other media types are 415, other methods and paths 404', async () => {
    expectRefusal(await send(`${running.url}/embed`, { body: 'x', headers: { 'content-type': 'text/plain' } }), 415);
    expectRefusal(await send(`${running.url}/embed`, { body: 'x', headers: { 'content-type': 'nonsense' } }), 415);
    expectRefusal(await send(`${running.url}/embed`, { method: 'DELETE' }), 404);
    expectRefusal(await get(`${running.url}/v1/nothing`), 404);
    expectRefusal(await get(`${running.url}/%ff%2e%2e/..;/etc/passwd`), 400, 404);
    expectRefusal(await get(`${running.url}/${'a/'.repeat(4000)}`), 404);
  });

  test('answers that would be far larger than their request are refused', async () => {
    expectRefusal(await post(`${running.url}/tokenize`, { inputs: 'a '.repeat(200_000) }), 413);
    const many = Array.from({ length: 64 }, () => 'a '.repeat(600));
    expectRefusal(await post(`${running.url}/embed_all`, { inputs: many }), 413);
  });

  test('texts of odd characters are embedded like any other', async () => {
    const { status, json } = await send(`${running.url}/embed`, {
      body: '{"inputs": ["\\ud800", "\\u0000", "\\udfff\\ud800", "\u202e\u0300\u0301", ""]}',
    });
    expect([status, (json as number[][]).length]).toEqual([200, 5]);
  });
});

describe('connections', () => {
  test('slow-loris: headers and bodies that trickle are 408', async () => {
    const slow = [
      'GET /health HTTP/1.1\r\nHost: x\r\n',
      'POST /embed HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n',
    ].map(async (beginning) => {
      const socket = open();
      socket.write(beginning);
      const answer = received(socket);
      const drip = setInterval(() => socket.write(beginning.startsWith('GET') ? 'X-A: b\r\n' : ' '), 100);
      try {
        return await answer;
      } finally {
        clearInterval(drip);
      }
    });
    for (const answer of await Promise.all(slow)) expect(statusesOf(answer)).toEqual([408]);
  });

  test('a thousand connections that say nothing do not keep others out', async () => {
    const sockets = Array.from({ length: 1000 }, open);
    await Promise.all(sockets.map((socket) => once(socket, 'connect')));
    expect((await post(`${running.url}/embed`, { inputs: 'x' })).status).toBe(200);
    for (const socket of sockets) socket.destroy();
  });

  test('a client that closes its sending side has gone, as one that closes both: its work is dropped', async () => {
    const socket = open();
    const body = JSON.stringify({ inputs: Array.from({ length: 64 }, () => 'word '.repeat(600)) });
    const { length } = body;
    socket.end(
      `POST /embed HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${length}\r\n\r\n${body}`,
    );
    expect(await received(socket)).toBe('');
    await until(async () =>
      expect((await get(`${running.url}/metrics`)).text).toMatch(/^gteway_queue_texts\{.*\} 0$/m),
    );
  });

  test('pipelined requests are answered in their order', async () => {
    const socket = open();
    const request = (inputs: string): string => {
      const body = JSON.stringify({ inputs });
      return `POST /embed HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
    };
    const requests = Array.from({ length: 200 }, (_, i) =>
      i % 2 === 0 ? request('x'.repeat(i + 1)) : 'GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n',
    );
    socket.write(requests.join(''));
    socket.write('GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
    const statuses = statusesOf(await received(socket));
    expect(statuses).toEqual([...requests.map((_, i) => (i % 2 === 0 ? 200 : 404)), 200]);
  });

  test('floods of headers, long lines and nonsense are refused and the connection closed', async () => {
    const cases: readonly (readonly [bytes: string, status: number])[] = [
      [`GET /health HTTP/1.1\r\n${Array.from({ length: 5000 }, (_, i) => `X-${i}: ${i}`).join('\r\n')}\r\n\r\n`, 431],
      [`GET /health HTTP/1.1\r\nX-Long: ${'a'.repeat(100_000)}\r\n\r\n`, 431],
      [`GET /${'a'.repeat(100_000)} HTTP/1.1\r\n\r\n`, 431],
      ['\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', 400],
      ['PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400],
      ['GET / HTTP/9.9\r\n\r\n', 400],
      ['POST /embed HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n', 400],
      ['POST /embed HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n', 400],
      ['POST /embed HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n', 400],
      ['GET /health HTTP/1.1\r\nBad Header: x\r\n\r\n', 400],
    ];
    for (const [bytes, status] of cases) {
      const socket = open();
      socket.write(bytes, 'latin1');
      const answer = await received(socket);
      expect(statusesOf(answer), JSON.stringify(bytes.slice(0, 80))).toEqual([status]);
      expect(JSON.parse(answer.slice(answer.indexOf('\r\n\r\n') + 4))).toMatchObject({ error_type: 'Validation' });
    }
  });

  test('a client that does not read its answer does not stop the others', async () => {
    const socket = open();
    const body = JSON.stringify({ inputs: Array.from({ length: 64 }, () => 'word '.repeat(200)) });
    socket.pause();
    for (let i = 0; i < 20; i++) {
      socket.write(
        `POST /embed_all HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
      );
    }
    await sleep(200);
    expect((await post(`${running.url}/embed`, { inputs: 'x' })).status).toBe(200);
    socket.destroy();
  });
});
