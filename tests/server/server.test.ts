/** The server around its routes: readiness, models, keys, CORS, TLS, sockets, log, metrics, overload, time, clients that go. */
import { execFileSync, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type IncomingMessage, request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, describe, inject, onTestFinished, test } from 'vitest';
import { type Answer, get, modelName, post, send, startServer, type TestServer } from './serve-fixture.js';
import { startHub } from '../models/hub-server.js';
import { isolateHubEnvironment } from '../models/hub-environment.js';
import { until } from '../until.js';

function directory(): string {
  const made = mkdtempSync(join(tmpdir(), 'gteway-serve-'));
  onTestFinished(() => rmSync(made, { recursive: true, force: true }));
  return made;
}

/** The value of one series of /metrics. */
async function metric({ url }: TestServer, series: string): Promise<number> {
  const { text } = await get(`${url}/metrics`);
  const line = text.split('\n').find((candidate) => candidate.startsWith(`${series} `));
  return line === undefined ? NaN : Number(line.slice(series.length + 1));
}

/** Enough work for the fixture model that a test can look at it. */
const longTexts = Array.from({ length: 256 }, (_, i) => `${i} ${'many words of a passage '.repeat(80)}`);
const embed = (running: TestServer, inputs: unknown): Promise<Answer> => post(`${running.url}/embed`, { inputs });
const untilBusy = (running: TestServer): Promise<void> =>
  until(async () => expect(await metric(running, `gteway_queue_texts{model="${modelName}"}`)).toBeGreaterThan(0));

describe('readiness', () => {
  test('listens at once; 503 with Retry-After while the model is loaded', async () => {
    // From a hub that begins to answer and does not go on.
    const hub = await startHub();
    isolateHubEnvironment({ HF_ENDPOINT: hub.url });
    hub.publish('owner/model', { 'config.json': '{}' });
    hub.fault = () => ({ stallAfter: 1 });
    const running = await startServer({ loading: true, models: [{ name: modelName, model: 'owner/model' }] });
    const [health, early] = await Promise.all([get(`${running.url}/health`), embed(running, 'x')]);
    expect([health.status, health.json]).toEqual([
      503,
      { error: 'the model is being loaded', error_type: 'Unhealthy' },
    ]);
    expect([early.status, early.headers['retry-after']]).toEqual([503, '1']);
    expect(await metric(running, 'gteway_ready')).toBe(0);
  });

  test('200 once it is', async () => {
    const running = await startServer({ loading: true });
    await running.server.ready;
    expect((await get(`${running.url}/health`)).json).toEqual({ status: 'ok', models: [modelName] });
    expect(await metric(running, 'gteway_ready')).toBe(1);
    expect((await embed(running, 'x')).status).toBe(200);
  });

  test('a model that cannot be loaded: ready rejects with why, /health stays 503', async () => {
    const missing = join(directory(), 'nothing');
    const running = await startServer({ loading: true, models: [{ name: 'x', model: missing }] });
    await expect(running.server.ready).rejects.toThrow(/is not a directory/);
    expect((await get(`${running.url}/health`)).status).toBe(503);
  });

  test('closing while loading ends it, and ready does not reject', async () => {
    const running = await startServer({ loading: true });
    await running.server.close();
    await running.server.ready;
    await expect(get(`${running.url}/health`)).rejects.toThrow(/ECONNREFUSED|ECONNRESET|hang up/);
  });
});

describe('models', () => {
  test('several at once, each by its names; the first where none is named', async () => {
    const fixture = inject('fixture');
    const running = await startServer({
      models: [
        { name: 'first', model: fixture },
        { name: 'owner/second', model: fixture },
      ],
    });
    const ask = (model: string): Promise<Answer> => post(`${running.url}/v1/embeddings`, { model, input: 'x' });
    for (const name of ['first', 'FIRST', 'first:latest', 'owner/second']) {
      expect(((await ask(name)).json as { model: string }).model).toBe(
        name.includes('second') ? 'owner/second' : 'first',
      );
    }
    expect((await get(`${running.url}/v1/models/owner/second`)).json).toMatchObject({ id: 'owner/second' });
    expect((await get(`${running.url}/v1/models/third`)).status).toBe(404);
    expect((await ask('third')).json).toEqual({
      error: {
        message: "this server has no embedding model 'third'; it serves first, owner/second",
        type: 'invalid_request_error',
        param: 'model',
        code: 'model_not_found',
      },
    });
    await embed(running, 'x');
    expect(await metric(running, 'gteway_texts_total{model="first"}')).toBe(4);
    await post(`${running.url}/embed`, { inputs: 'x', model: 'owner/second' });
    expect(await metric(running, 'gteway_texts_total{model="owner/second"}')).toBe(2);
    expect((await get(`${running.url}/info`)).json).toMatchObject({
      model_id: 'first',
      models: [{ model_id: 'first' }, { model_id: 'owner/second' }],
    });
  });
});

describe('access', () => {
  test('API keys guard everything but the page, health and metrics', async () => {
    const file = join(directory(), 'keys');
    writeFileSync(file, '# keys\n\nfrom-file\r\n');
    const running = await startServer({ apiKey: ['given'], apiKeyFile: file });
    const ask = (headers: Record<string, string>): Promise<Answer> => get(`${running.url}/info`, headers);
    for (const key of ['given', 'from-file']) expect((await ask({ authorization: `Bearer ${key}` })).status).toBe(200);
    for (const headers of [
      {},
      { authorization: 'Bearer ' },
      { authorization: 'Bearer give' },
      { authorization: 'given' },
    ]) {
      const { status, headers: answered, json } = await ask(headers);
      expect([status, answered['www-authenticate']]).toEqual([401, 'Bearer']);
      expect(json).toEqual({ error: expect.stringContaining('API key') as string, error_type: 'Validation' });
    }
    for (const path of ['/', '/page.js', '/health', '/metrics'])
      expect((await get(running.url + path)).status).toBe(200);
    expect((await get(`${running.url}/no-such-route`)).status).toBe(401);
  });

  test('an empty key file is an error, not an open door', async () => {
    const file = join(directory(), 'keys');
    writeFileSync(file, '# none\n');
    await expect(startServer({ apiKeyFile: file })).rejects.toThrow(/has no key in it/);
  });

  test('CORS: off by default; the given origins, and no other', async () => {
    const preflight = { origin: 'https://a.example', 'access-control-request-method': 'POST' };
    const closed = await startServer();
    expect((await send(`${closed.url}/embed`, { method: 'OPTIONS', headers: preflight })).status).toBe(404);
    const open = await startServer({ corsOrigin: ['https://a.example', 'https://b.example'], apiKey: ['k'] });
    const allowed = await send(`${open.url}/embed`, { method: 'OPTIONS', headers: preflight });
    expect([allowed.status, allowed.headers['access-control-allow-origin']]).toEqual([204, 'https://a.example']);
    const other = await send(`${open.url}/embed`, {
      method: 'OPTIONS',
      headers: { ...preflight, origin: 'https://c.example' },
    });
    expect(other.headers['access-control-allow-origin']).toBeUndefined();
    const any = await startServer({ corsOrigin: ['*'] });
    expect(
      (await get(`${any.url}/health`, { origin: 'https://c.example' })).headers['access-control-allow-origin'],
    ).toBe('*');
  });

  test('TLS from files', async (context) => {
    const folder = directory();
    const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
    try {
      const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1'];
      const how = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
      execFileSync('openssl', ['req', ...how, '-keyout', key, '-out', cert, ...subject], { stdio: 'ignore' });
    } catch {
      context.skip('no openssl here to make a certificate with');
    }
    const { url } = await startServer({ tlsCert: cert, tlsKey: key });
    expect(url).toMatch(/^https:\/\/127\.0\.0\.1:\d+$/);
    const status = await new Promise((resolve, reject) => {
      const request = httpsRequest(`${url}/health`, { ca: readFileSync(cert) }, (response) => {
        response.resume();
        resolve(response.statusCode);
      });
      request.on('error', reject);
      request.end();
    });
    expect(status).toBe(200);
  });

  test('a Unix socket, also where a killed server left its own behind, but not a living one', async (context) => {
    if (process.platform === 'win32') context.skip('no Unix sockets on Windows');
    const path = join(directory(), 'gteway.sock');
    const dying = `require('net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`;
    spawnSync(process.execPath, ['-e', dying]);
    expect(existsSync(path)).toBe(true);
    const running = await startServer({ socket: path });
    expect(running.url).toBe(`unix:${path}`);
    const status = await new Promise((resolve) => {
      httpRequest({ socketPath: path, path: '/health' }, (response) => resolve(response.resume().statusCode)).end();
    });
    expect(status).toBe(200);
    await expect(startServer({ socket: path })).rejects.toThrow(/EADDRINUSE/);
  });

  test('a port that is taken is an error', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    onTestFinished(() => void other.close());
    await new Promise((resolve) => other.once('listening', resolve));
    await expect(startServer({ port: (other.address() as { port: number }).port })).rejects.toThrow(/EADDRINUSE/);
  });
});

describe('log and request ids', () => {
  test('one line per request with its id, status, time and counts, and no text of users', async () => {
    const running = await startServer();
    const secret = 'a very private sentence';
    const answer = await post(
      `${running.url}/embed?text=${encodeURIComponent(secret)}`,
      { inputs: [secret, secret] },
      { 'x-request-id': 'trace-1' },
    );
    expect(answer.headers['x-request-id']).toBe('trace-1');
    await post(`${running.url}/embed`, { inputs: { [secret]: secret } });
    await send(`${running.url}/embed`, { body: `{"inputs": ${secret}` });
    await get(`${running.url}/${encodeURIComponent(secret)}`);
    const odd = await get(`${running.url}/health`, { 'x-request-id': 'not {a} name' });
    expect(odd.headers['x-request-id']).toMatch(/^[0-9a-f-]{36}$/);
    await until(() => expect(running.log.filter(({ msg }) => msg === 'answered')).toHaveLength(5));
    expect(running.log.find(({ reqId }) => reqId === 'trace-1')).toMatchObject({
      level: 'info',
      method: 'POST',
      route: '/embed',
      status: 200,
      ms: expect.any(Number) as number,
      model: modelName,
      texts: 2,
      tokens: expect.any(Number) as number,
      truncated: 0,
    });
    expect(JSON.stringify(running.log)).not.toContain('private');
  });

  test('the level is what is asked for', async () => {
    const running = await startServer({ logLevel: 'error' });
    await get(`${running.url}/health`);
    expect(running.log).toEqual([]);
  });
});

describe('metrics', () => {
  test('count requests, texts, tokens and truncations', async () => {
    const running = await startServer();
    await embed(running, ['a', 'word '.repeat(1000)]);
    await embed(running, 7);
    expect(await metric(running, `gteway_texts_total{model="${modelName}"}`)).toBe(2 + 0);
    expect(await metric(running, `gteway_tokens_total{model="${modelName}"}`)).toBe(3 + 512);
    expect(await metric(running, `gteway_truncated_texts_total{model="${modelName}"}`)).toBe(1);
    expect(await metric(running, 'gteway_http_requests_total{route="/embed",method="POST",status="200"}')).toBe(1);
    expect(await metric(running, 'gteway_http_requests_total{route="/embed",method="POST",status="422"}')).toBe(1);
    expect(await metric(running, 'gteway_http_request_duration_seconds_count{route="/embed"}')).toBe(2);
    expect(await metric(running, 'process_resident_memory_bytes')).toBeGreaterThan(1e6);
  });
});

describe('load', () => {
  test('a full queue answers 429 with Retry-After at once, in each API’s shape, and serves again when it has room', async () => {
    const running = await startServer({ maxQueue: 100, threads: 1 });
    const first = embed(running, longTexts);
    await untilBusy(running);
    const refused = await Promise.all([
      embed(running, 'x'),
      post(`${running.url}/v1/embeddings`, { model: modelName, input: 'x' }),
      post(`${running.url}/api/embed`, { model: modelName, input: 'x' }),
    ]);
    expect(refused.map(({ status }) => status)).toEqual([429, 429, 429]);
    expect(refused.map(({ headers }) => headers['retry-after'])).toEqual(['1', '1', '1']);
    expect(refused.map(({ json }) => json)).toEqual([
      { error: expect.any(String) as string, error_type: 'Overloaded' },
      {
        error: {
          message: expect.any(String) as string,
          type: 'rate_limit_error',
          param: null,
          code: 'rate_limit_exceeded',
        },
      },
      { error: expect.any(String) as string },
    ]);
    expect(await metric(running, `gteway_queue_age_seconds{model="${modelName}"}`)).toBeGreaterThan(0);
    expect((await get(`${running.url}/health`)).status).toBe(200);
    expect((await first).status).toBe(200);
    expect((await embed(running, 'x')).status).toBe(200);
    expect(await metric(running, `gteway_queue_age_seconds{model="${modelName}"}`)).toBe(0);
  });

  test('a full queue answers before the body is there', async () => {
    const running = await startServer({ maxQueue: 100, threads: 1 });
    const first = embed(running, longTexts);
    await untilBusy(running);
    const client = httpRequest(`${running.url}/embed`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'content-length': '1000' },
    });
    client.on('error', () => undefined);
    client.flushHeaders();
    const [response] = (await once(client, 'response')) as [IncomingMessage];
    client.destroy();
    expect(response.statusCode).toBe(429);
    expect((await first).status).toBe(200);
  });

  test('a client that goes takes its work with it', async () => {
    const running = await startServer({ threads: 1 });
    const request = httpRequest(`${running.url}/embed`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
    });
    request.on('error', () => undefined);
    request.end(JSON.stringify({ inputs: Array.from({ length: 2000 }, () => longTexts[0]) }));
    await untilBusy(running);
    request.destroy();
    await until(async () => expect(await metric(running, `gteway_queue_texts{model="${modelName}"}`)).toBe(0));
    expect(await metric(running, 'gteway_http_requests_total{route="/embed",method="POST",status="499"}')).toBe(1);
    expect(await metric(running, `gteway_texts_total{model="${modelName}"}`)).toBeNaN();
    expect(running.log.at(-1)).toBeDefined();
    expect(running.log.filter(({ level }) => level === 'error')).toEqual([]);
  });

  test('what is not done within the request timeout is 504', async () => {
    const running = await startServer({ requestTimeout: 0.02, threads: 1 });
    const { status, json } = await embed(running, longTexts);
    expect([status, json]).toEqual([504, { error: 'the call took longer than 0.02 s', error_type: 'Overloaded' }]);
    await until(async () => expect(await metric(running, `gteway_queue_texts{model="${modelName}"}`)).toBe(0));
  });

  test('many large bodies at once are refused as overload before they fill the memory', async () => {
    const running = await startServer({ maxBody: 2 ** 20 * 16 });
    // The budget is 128 MiB: clients that announce bodies of 15 MiB and send all but the end of them.
    const chunk = Buffer.alloc(15 * 2 ** 20, ' ');
    const clients = Array.from({ length: 10 }, () => {
      const request = httpRequest(`${running.url}/embed`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'content-length': chunk.length + 1 },
      });
      const status = new Promise<number | undefined>((resolve) => {
        request.on('response', (response) => resolve(response.resume().statusCode));
        request.on('error', () => resolve(undefined));
      });
      request.write(chunk);
      return { request, status };
    });
    // One that is refused while it still writes may see the connection reset before it sees the answer.
    const refused = clients.map(async ({ status }) => expect(await status).toBe(429));
    await Promise.any(refused);
    expect((await embed(running, 'x')).status).toBe(200);
    for (const { request } of clients) request.destroy();
    await until(async () => expect(await metric(running, 'gteway_http_body_bytes')).toBe(0));
  });
});

describe('closing', () => {
  test('finishes what runs, refuses what comes, and health turns 503', async () => {
    const running = await startServer({ threads: 1 });
    const agentless = connect(Number(new URL(running.url).port), '127.0.0.1');
    const first = embed(running, longTexts);
    await untilBusy(running);
    const keptAlive = rawGet(agentless, '/health');
    expect((await keptAlive).startsWith('HTTP/1.1 200')).toBe(true);
    let isClosed = false;
    const closing = running.server.close().then(() => (isClosed = true));
    // Node's agent may try a connection of before, which the server has just closed.
    await expect(get(`${running.url}/health`)).rejects.toThrow(/ECONNREFUSED|ECONNRESET|hang up/);
    expect(isClosed).toBe(false);
    const { status, headers } = await first;
    expect([status, headers.connection]).toEqual([200, 'close']);
    await closing;
    agentless.destroy();
  });

  test('a connection that is already open is told 503 and closed', async () => {
    const running = await startServer({ threads: 1 });
    const socket = connect(Number(new URL(running.url).port), '127.0.0.1');
    // The headers have begun to arrive, so that the connection is not idle.
    socket.write('GET /health HTTP/1.1\r\nHost: x\r\n');
    const first = embed(running, longTexts);
    await untilBusy(running);
    const closing = running.server.close();
    socket.write('\r\n');
    const answer = await received(socket);
    expect(answer).toMatch(/^HTTP\/1\.1 503 /);
    expect(answer.toLowerCase()).toContain('connection: close');
    expect((await first).status).toBe(200);
    await closing;
  });

  test('after the shutdown timeout, what still runs is given up with 503', async () => {
    const running = await startServer({ threads: 1, shutdownTimeout: 0.05 });
    const first = embed(
      running,
      // Each another text: the same ones would be computed once.
      Array.from({ length: 2000 }, (_, i) => `${i} ${longTexts[0]}`),
    );
    await untilBusy(running);
    await running.server.close();
    expect((await first).status).toBe(503);
    expect(running.log.find(({ level }) => level === 'warn')).toMatchObject({ inFlight: 1 });
  });

  test('clients that never finish a request do not hold it up', async () => {
    const running = await startServer();
    const socket = connect(Number(new URL(running.url).port), '127.0.0.1');
    socket.on('error', () => undefined);
    socket.write('POST /embed HTTP/1.1\r\nHost: x\r\nContent-');
    await new Promise((resolve) => setTimeout(resolve, 50));
    await running.server.close();
    expect(running.log.filter(({ level }) => level === 'warn')).toEqual([]);
    socket.destroy();
  });
});

function rawGet(socket: ReturnType<typeof connect>, path: string): Promise<string> {
  socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`);
  return new Promise((resolve) => socket.once('data', (data: Buffer) => resolve(data.toString())));
}

function received(socket: ReturnType<typeof connect>): Promise<string> {
  let text = '';
  socket.on('data', (data: Buffer) => (text += data.toString()));
  return new Promise((resolve) => socket.once('close', () => resolve(text)));
}
