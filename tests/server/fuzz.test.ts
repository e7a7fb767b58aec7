/** Ten thousand requests made up from a seed: some valid, most not. None may get a 5xx, and the server must go on. */
import { Agent, request as httpRequest } from 'node:http';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { get, modelName, openServer, post, type TestServer } from './serve-fixture.js';

const seed = Number(process.env.GTEWAY_FUZZ_SEED ?? 20_260_704);
const requests = 10_000;

let running: TestServer;
beforeAll(async () => {
  running = await openServer({ maxBody: 64 * 1024, maxBatch: 16, logLevel: 'warn' });
});
afterAll(() => running.server.close());

/** Mulberry32. */
class Random {
  #state: number;
  constructor(state: number) {
    this.#state = state;
  }
  below(bound: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % bound;
  }
  pick<const Value>(...values: readonly Value[]): Value {
    return values[this.below(values.length)] as Value;
  }
}

const paths = [
  '/v1/embeddings',
  '/embed',
  '/',
  '/embed_all',
  '/similarity',
  '/tokenize',
  '/api/embed',
  '/api/embeddings',
];
const fields = [
  'input',
  'inputs',
  'prompt',
  'model',
  'encoding_format',
  'dimensions',
  'user',
  'normalize',
  'truncate',
  'parameters',
  'source_sentence',
  'sentences',
  'truncation_direction',
  'prompt_name',
  'add_special_tokens',
  'options',
  'keep_alive',
  '__proto__',
  '',
] as const;

function anyText(random: Random): string {
  const length = random.pick(0, 1, 5, 20, 200);
  let text = '';
  for (let i = 0; i < length; i++) {
    text += random.pick(
      'a',
      'word ',
      'É',
      '東',
      '\u{1f600}',
      '\ud800',
      '\0',
      '"',
      '\\',
      ' ',
      '##',
      '[CLS]',
      '\u202e',
      '7',
    );
  }
  return text;
}

function anyValue(random: Random, depth = 0): unknown {
  switch (random.below(depth > 3 ? 8 : 10)) {
    case 0:
      return anyText(random);
    case 1:
      return random.pick(0, -1, 1, 7.5, 101, 30_521, 2 ** 31, 1e308, -0);
    case 2:
      return random.pick(true, false, null);
    case 3:
      return random.pick(modelName, `${modelName}:latest`, 'mistral', 'base64', 'float', 'Right', 'Left');
    case 4:
      return Array.from({ length: random.below(5) }, () => anyText(random));
    case 5:
      return Array.from({ length: random.below(5) }, () => random.below(3000));
    case 6:
      return {};
    case 7:
      return Array.from({ length: random.below(40) }, () => 'x');
    case 8:
      return Array.from({ length: random.below(4) }, () => anyValue(random, depth + 1));
    default:
      return anyObject(random, depth + 1);
  }
}

function anyObject(random: Random, depth: number): Record<string, unknown> {
  const object: Record<string, unknown> = {};
  for (let i = random.below(5); i > 0; i--) object[random.pick(...fields)] = anyValue(random, depth);
  return object;
}

/** What the route takes, with something of it replaced now and then. */
function nearlyValid(random: Random, path: string): Record<string, unknown> {
  const text = random.pick<unknown>('Hello world', ['a', 'b'], anyText(random), [101, 1319, 102]);
  const body: Record<string, unknown> =
    path === '/v1/embeddings'
      ? { model: modelName, input: text, encoding_format: random.pick('float', 'base64') }
      : path === '/api/embed'
        ? { model: modelName, input: text, truncate: random.pick(true, false) }
        : path === '/api/embeddings'
          ? { model: modelName, prompt: 'x' }
          : path === '/similarity'
            ? { inputs: { source_sentence: 'x', sentences: ['y', anyText(random)] } }
            : { inputs: text };
  if (random.below(3) === 0) body[random.pick(...fields)] = anyValue(random);
  return body;
}

function anyBody(random: Random, path: string): Buffer {
  let bytes = Buffer.from(JSON.stringify(random.below(2) === 0 ? nearlyValid(random, path) : anyValue(random)));
  if (random.below(4) === 0) {
    // Cut it, or change some bytes.
    if (random.below(2) === 0) bytes = bytes.subarray(0, random.below(bytes.length + 1));
    for (let i = random.below(4); i > 0 && bytes.length > 0; i--) bytes[random.below(bytes.length)] = random.below(256);
  }
  if (random.below(100) === 0) bytes = Buffer.alloc(random.pick(65_536, 65_537, 200_000), '[');
  return bytes;
}

const agent = new Agent({ keepAlive: true, maxSockets: 32 });

/** The status; undefined where the server closed the connection instead, as it may when it refuses a body. */
function send(path: string, method: string, type: string, body: Buffer): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': type, 'content-length': body.length };
    const request = httpRequest(running.url + path, { method, agent, headers }, (response) => {
      response.resume();
      response.on('end', () => resolve(response.statusCode));
    });
    request.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNRESET' || error.code === 'EPIPE') resolve(undefined);
      else reject(error);
    });
    request.end(body);
  });
}

test(`${requests} made-up requests (GTEWAY_FUZZ_SEED=${seed}): no 5xx, no crash, and sane answers afterwards`, async () => {
  const random = new Random(seed);
  const reference = (await post(`${running.url}/embed`, { inputs: 'Hello world' })).json;
  const counts = new Map<number | undefined, number>();
  const failures: string[] = [];
  const one = async (): Promise<void> => {
    const path = random.pick(...paths) + random.pick('', '', '', '?a=b', '%00', '/');
    const method = random.pick('POST', 'POST', 'POST', 'POST', 'POST', 'GET', 'PUT');
    const type = random.pick('application/json', 'application/json', 'application/json', 'text/plain', 'x', '');
    const body = method === 'GET' ? Buffer.alloc(0) : anyBody(random, path);
    const status = await send(path, method, type, body);
    counts.set(status, (counts.get(status) ?? 0) + 1);
    if (status !== undefined && status >= 500)
      failures.push(`${status} ${method} ${path} ${type} ${body.toString('latin1').slice(0, 300)}`);
  };
  let left = requests;
  const worker = async (): Promise<void> => {
    while (left-- > 0) await one();
  };
  await Promise.all(Array.from({ length: 32 }, worker));
  agent.destroy();
  expect(failures).toEqual([]);
  // A fuzzer that only ever meets the first check proves little.
  expect([...counts.keys()]).toEqual(expect.arrayContaining([200, 400, 404, 413, 415, 422]));
  expect(counts.get(200)).toBeGreaterThan(requests / 20);
  expect(running.log).toEqual([]);
  expect((await get(`${running.url}/health`)).status).toBe(200);
  expect((await post(`${running.url}/embed`, { inputs: 'Hello world' })).json).toEqual(reference);
});
