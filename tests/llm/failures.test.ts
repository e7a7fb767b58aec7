/** Servers that refuse, break, stall or redirect, and callers who change their minds: the error, and no socket left. */
import { createServer, type AddressInfo } from 'node:net';
import { describe, expect, test } from 'vitest';
import { LlmClient } from '../../lib/llm/client.js';
import type { LlmRunOptions } from '../../lib/llm/options.js';
import { failureOf } from './failure-of.js';
import { llmFixture } from './llm-fixture.js';
import type { Script } from './scripted-server.js';

const llms = llmFixture('mistral', 'application/x-ndjson');
const { speaking } = llms;
const ndjson = 'application/x-ndjson';
const line = (response: string): string => `${JSON.stringify({ response, done: false })}\n`;
const never: Script = (turn) => turn.closed;

/** Two chunks, then whatever `then` does. */
const halfAnAnswer =
  (then: Script): Script =>
  async (turn) => {
    await turn.pieces(ndjson, [line('Hel'), line('lo')]);
    await then(turn);
  };

describe('statuses', () => {
  test.each([
    ["Ollama's", `{"error":"model 'mistral' not found"}`],
    ["old Ollama's", `{"error":"model 'mistral' not found, try pulling it first"}`],
    ["OpenAI's", '{"error":{"code":"model_not_found","message":"The model `mistral` does not exist"}}'],
  ])('404 in %s words is a missing model, with the command that fetches it', async (_whose, body) => {
    const llm = await speaking((turn) => turn.respond(404, { 'content-type': 'application/json' }, body));
    for (const stream of [false, true]) {
      const error = await failureOf(llm.run('Hi', { stream }));
      expect(error).toMatchObject({ code: 'ERR_LLM_MODEL_MISSING', details: { status: 404, model: 'mistral' } });
      expect(error.message).toContain('ollama pull mistral');
    }
  });

  test('404 of a path is no missing model', async () => {
    const llm = await speaking((turn) => turn.respond(404, { 'content-type': 'text/plain' }, '404 page not found'));
    const error = await failureOf(llm.run('Hi'));
    expect(error).toMatchObject({
      code: 'ERR_LLM_STATUS',
      details: { status: 404, serverMessage: '404 page not found' },
    });
    expect(error.message).toContain('check the path in AI_INFERENCE_API_HOST');
  });

  test('401 says where the key goes', async () => {
    const llm = await speaking((turn) => turn.respond(401, {}, '{"error":{"message":"Invalid API Key","code":401}}'));
    const error = await failureOf(llm.run('Hi', { mode: 'openaicompatible' }));
    expect(error).toMatchObject({ code: 'ERR_LLM_STATUS', details: { status: 401, serverMessage: 'Invalid API Key' } });
    expect(error.message).toContain('AI_INFERENCE_API_KEY');
  });

  test.each([
    ['seconds', '17', 17],
    ['a date', new Date(Date.now() - 5000).toUTCString(), 0],
  ])('429 with Retry-After in %s', async (_form, value, seconds) => {
    const llm = await speaking((turn) => turn.respond(429, { 'retry-after': value }, '{"error":"busy"}'));
    expect(await failureOf(llm.run('Hi'))).toMatchObject({
      code: 'ERR_LLM_STATUS',
      details: { status: 429, serverMessage: 'busy', retryAfter: seconds },
    });
  });

  test('500 with a page of HTML is quoted by its title', async () => {
    const page = '<!doctype html><html><head><title>502 Bad Gateway</title></head><body><h1>nginx</h1></body></html>';
    const llm = await speaking((turn) => turn.respond(500, { 'content-type': 'text/html' }, page));
    for (const mode of ['ollama', 'openaicompatible'] as const) {
      const error = await failureOf(llm.run('Hi', { mode } as LlmRunOptions));
      expect(error).toMatchObject({
        code: 'ERR_LLM_STATUS',
        details: { status: 500, serverMessage: '502 Bad Gateway' },
      });
    }
  });

  test.each([
    ['without a body', (async (turn) => turn.respond(500, {}, '')) satisfies Script],
    [
      'whose body breaks off',
      (async (turn) => {
        await turn.head(500, { 'content-length': '100' });
        await turn.write('x');
        turn.hangUp();
      }) satisfies Script,
    ],
    [
      'whose body never ends',
      (async (turn) => {
        await turn.head(500, { 'content-length': '100' });
        await turn.closed;
      }) satisfies Script,
    ],
    [
      'whose body is endless',
      (async (turn) => {
        await turn.head(500, { 'content-length': String(2 ** 40) });
        while (!turn.isClosed) await turn.write('x'.repeat(65536));
      }) satisfies Script,
    ],
  ])('500 %s', async (_name, script) => {
    const llm = await speaking(script);
    const error = await failureOf(llm.run('Hi', { timeout: 1 }));
    expect(error).toMatchObject({ code: 'ERR_LLM_STATUS', details: { status: 500 } });
  });
});

describe('redirects', () => {
  test.each([307, 308])('%i within the server is followed, with method, body and headers', async (status) => {
    const llm = await speaking(
      (turn) =>
        turn.request.path === '/new/api/generate'
          ? turn.respond(200, {}, '{"response":"there","done":true}')
          : turn.respond(status, { location: '/new/api/generate' }, ''),
      { headers: { 'x-key': 'secret' } },
    );
    expect((await llm.run('Hi')).text).toBe('there');
    const [first, second] = llms.server.requests;
    expect(second?.method).toBe('POST');
    expect(second?.body).toEqual(first?.body);
    expect(second?.headers['x-key']).toBe('secret');
  });

  test.each([
    ['301, which would turn the POST into a GET', 301, '/new/api/generate'],
    ['302', 302, '/new/api/generate'],
    ['307 to another server, which must not see the key', 307, 'http://127.0.0.2:9/api/generate'],
  ])('%s: not followed, and where it leads is said', async (_name, status, location) => {
    const llm = await speaking((turn) => turn.respond(status, { location }, ''), { apiKey: 'secret' });
    const error = await failureOf(llm.run('Hi'));
    expect(error).toMatchObject({ code: 'ERR_LLM_STATUS', details: { status, location } });
    expect(error.message).toContain(location);
    expect(llms.server.requests).toHaveLength(1);
  });

  test('a loop ends', async () => {
    const llm = await speaking((turn) => turn.respond(307, { location: turn.request.path }, ''));
    expect(await failureOf(llm.run('Hi'))).toMatchObject({ code: 'ERR_LLM_STATUS', details: { status: 307 } });
    expect(llms.server.requests.length).toBeLessThan(10);
  });
});

describe('connections', () => {
  test('a refused connection names the host and the reason', async () => {
    const gone = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => gone.once('listening', resolve));
    const { port } = gone.address() as AddressInfo;
    await new Promise((resolve) => gone.close(resolve));
    const llm = new LlmClient('mistral', { host: `http://user:secret@127.0.0.1:${port}` });
    const error = await failureOf(llm.run('Hi'));
    expect(error).toMatchObject({ code: 'ERR_LLM_UNREACHABLE', details: { received: '', model: 'mistral' } });
    expect(error.message).toContain(`127.0.0.1:${port}`);
    expect(error.message).toContain('ECONNREFUSED');
    expect(error.message).not.toContain('secret');
    await llm.close();
  });

  test('a host that does not exist', async () => {
    const llm = new LlmClient('mistral', { host: 'http://nowhere.invalid' });
    expect(await failureOf(llm.run('Hi'))).toMatchObject({ code: 'ERR_LLM_UNREACHABLE' });
    await llm.close();
  });

  test.each([
    ['closed', ((turn) => turn.hangUp()) satisfies Script],
    ['reset', ((turn) => turn.reset()) satisfies Script],
  ])('a connection %s before the answer', async (_name, script) => {
    const llm = await speaking(script);
    for (const stream of [false, true]) {
      expect(await failureOf(llm.run('Hi', { stream }))).toMatchObject({ code: 'ERR_LLM_UNREACHABLE' });
    }
  });

  test('a reset in the middle of a stream keeps what came', async () => {
    let reset = (): void => undefined;
    const llm = await speaking((turn) => {
      reset = () => turn.reset();
      return halfAnAnswer((served) => served.closed)(turn);
    });
    const seen: unknown[] = [];
    const error = await failureOf(
      (async () => {
        for await (const chunk of await llm.run('Hi', { stream: true })) {
          seen.push(chunk.response);
          if (seen.length === 2) reset();
        }
      })(),
    );
    expect(seen).toEqual(['Hel', 'lo']);
    expect(error).toMatchObject({ code: 'ERR_LLM_UNREACHABLE', details: { received: 'Hello' } });
    expect(error.message).toContain('in the middle');
  });

  test('a connection closed in the middle of a whole answer keeps what came', async () => {
    const llm = await speaking(async (turn) => {
      await turn.head(200, { 'content-length': '100' });
      await turn.write('{"response":"Hel');
      turn.hangUp();
    });
    expect(await failureOf(llm.run('Hi'))).toMatchObject({
      code: 'ERR_LLM_UNREACHABLE',
      details: { received: '{"response":"Hel' },
    });
  });
});

describe('timeout', () => {
  test.each([false, true])('a server that accepts and never answers, stream: %s', async (stream) => {
    const llm = await speaking(never);
    const error = await failureOf(llm.run('Hi', { timeout: 0.1, stream }));
    expect(error).toMatchObject({ code: 'ERR_TIMEOUT', name: 'TimeoutError' });
    expect(error.message).toContain('0.1 s');
    await llms.server.untilNoSockets();
  });

  test('a whole answer must be whole in time, however steadily it comes', async () => {
    const llm = await speaking(async (turn) => {
      await turn.head(200, { 'transfer-encoding': 'chunked' });
      await turn.piece('{"response":"');
      while (!turn.isClosed) {
        await turn.piece('x');
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    });
    const error = await failureOf(llm.run('Hi', { timeout: 1 }));
    expect(error.code).toBe('ERR_TIMEOUT');
    expect(error.details.received).toMatch(/^\{"response":"x+$/);
    await llms.server.untilNoSockets();
  });

  test('a stream has the time anew for each chunk, and pings are no chunks', async () => {
    const llm = await speaking(async (turn) => {
      await turn.pieces('text/event-stream', []);
      for (const content of ['a', 'b', 'c', 'd']) {
        await new Promise((resolve) => setTimeout(resolve, 600));
        await turn.piece(`data: ${JSON.stringify({ choices: [{ delta: { content } }] })}\n\n`);
      }
      while (!turn.isClosed) {
        await turn.piece(': ping\n\n');
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    });
    const stream = await llm.run('Hi', { mode: 'openaicompatible', stream: true, timeout: 2 });
    expect(await failureOf(stream.text())).toMatchObject({ code: 'ERR_TIMEOUT', details: { received: 'abcd' } });
    await llms.server.untilNoSockets();
  });

  test("a slow reader's time does not count", async () => {
    const llm = await speaking(async (turn) => {
      await turn.pieces(ndjson, [line('a'), line('b'), '{"response":"c","done":true}\n']);
      await turn.end();
    });
    let text = '';
    for await (const chunk of await llm.run('Hi', { stream: true, timeout: 2 })) {
      if (text === '') await new Promise((resolve) => setTimeout(resolve, 2200));
      text += chunk.response ?? '';
    }
    expect(text).toBe('abc');
  });
});

/** The ways a caller ends a run, each with the code the run then fails with. */
const endings = [
  ['aborting the signal', 'ERR_ABORTED', (_llm: LlmClient, abort: AbortController) => abort.abort(new Error('enough'))],
  ['closing the session', 'ERR_CLOSED', (llm: LlmClient) => void llm.close()],
] as const;

describe.each(endings)('%s', (_name, code, end) => {
  test.each([
    ['before the headers, whole', { stream: false }],
    ['before the headers, streaming', { stream: true }],
    ['before the headers, openaicompatible', { mode: 'openaicompatible' }],
  ] as const)('%s', async (_when, options) => {
    const abort = new AbortController();
    const llm = await speaking((turn) => {
      end(llm, abort);
      return turn.closed;
    });
    expect(await failureOf(llm.run('Hi', { ...options, signal: abort.signal }))).toMatchObject({ code });
    await llms.server.untilNoSockets();
  });

  test.each(['ollama', 'openaicompatible'] as const)('in the middle of a stream, %s', async (mode) => {
    const abort = new AbortController();
    const text =
      mode === 'ollama' ? line('Hello') : `data: ${JSON.stringify({ choices: [{ delta: { content: 'Hello' } }] })}\n\n`;
    const llm = await speaking(async (turn) => {
      await turn.pieces(mode === 'ollama' ? ndjson : 'text/event-stream', [text]);
      await turn.closed;
    });
    const stream = (await llm.run('Hi', {
      mode,
      stream: true,
      signal: abort.signal,
    } as LlmRunOptions)) as AsyncIterable<unknown>;
    const chunks = stream[Symbol.asyncIterator]();
    await chunks.next();
    const waiting = failureOf(chunks.next());
    end(llm, abort);
    expect(await waiting).toMatchObject({ code, details: { received: 'Hello' } });
    expect(await chunks.next()).toEqual({ done: true, value: undefined });
    await llms.server.untilNoSockets();
  });

  test('while nobody reads the stream', async () => {
    const abort = new AbortController();
    const llm = await speaking(halfAnAnswer((turn) => turn.closed));
    const stream = await llm.run('Hi', { stream: true, signal: abort.signal });
    end(llm, abort);
    await llms.server.untilNoSockets();
    expect(await failureOf(stream.text())).toMatchObject({ code });
  });

  test('in the middle of the body of an error', async () => {
    const abort = new AbortController();
    const llm = await speaking(async (turn) => {
      await turn.head(500, { 'content-length': '100' });
      await turn.write('x');
      setTimeout(() => end(llm, abort), 50);
      await turn.closed;
    });
    expect(await failureOf(llm.run('Hi', { signal: abort.signal }))).toMatchObject({ code });
    await llms.server.untilNoSockets();
  });
});

describe('signals', () => {
  test('one that is aborted already sends nothing', async () => {
    const llm = await speaking(never);
    const reason = new Error('enough');
    const error = await failureOf(llm.run('Hi', { signal: AbortSignal.abort(reason) }));
    expect(error).toMatchObject({ code: 'ERR_ABORTED', name: 'AbortError', cause: reason });
    expect(llms.server.requests).toHaveLength(0);
  });

  test('one that outlives many runs keeps no listener of theirs', async () => {
    const { signal } = new AbortController();
    let listeners = 0;
    const add = signal.addEventListener.bind(signal);
    const remove = signal.removeEventListener.bind(signal);
    signal.addEventListener = (...args: Parameters<typeof add>) => {
      listeners++;
      add(...args);
    };
    signal.removeEventListener = (...args: Parameters<typeof remove>) => {
      listeners--;
      remove(...args);
    };
    let turns = 0;
    const llm = await speaking((turn) =>
      turns++ % 2 === 0 ? turn.respond(200, {}, '{"response":"x","done":true}') : turn.respond(500, {}, ''),
    );
    await llm.run('Hi', { signal });
    await failureOf(llm.run('Hi', { signal }));
    await llm.run('Hi', { signal, stream: true }).then((stream) => stream.text());
    expect(listeners).toBe(0);
  });
});

describe('a closed session', () => {
  test('runs nothing, and closes again', async () => {
    const llm = await speaking(never);
    await llm.close();
    await llm.close();
    expect(await failureOf(llm.run('Hi'))).toMatchObject({ code: 'ERR_CLOSED' });
    expect(llms.server.requests).toHaveLength(0);
  });

  test('leaves no idle connection, and leaves alone those of other sessions', async () => {
    const answer: Script = (turn) => turn.respond(200, {}, '{"response":"x","done":true}');
    const first = await speaking(answer);
    const { server } = llms;
    const second = await speaking(
      halfAnAnswer(async (turn) => {
        await new Promise((resolve) => setTimeout(resolve, 100));
        await turn.piece('{"response":"!","done":true}\n');
        await turn.end();
      }),
    );
    await first.run('Hi');
    const stream = await second.run('Hi', { stream: true });
    await first.close();
    expect(await stream.text()).toBe('Hello!');
    await second.close();
    await server.untilNoSockets(1);
    await llms.server.untilNoSockets(1);
  });
});
