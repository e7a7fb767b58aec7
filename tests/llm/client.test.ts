/** What reaches the server for each kind of run, which server that is, and what is refused before anything is sent. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { LlmClient } from '../../lib/llm/client.js';
import type { LlmRunOptions, LlmSessionOptions } from '../../lib/llm/options.js';
import { failureOf } from './failure-of.js';
import { llmFixture } from './llm-fixture.js';
import type { Script } from './scripted-server.js';

const llms = llmFixture('mistral', 'application/x-ndjson');
const { speaking } = llms;

/** Answers in the protocol that the path belongs to. */
const obliging: Script = async (turn) => {
  const { stream } = turn.request.body as { stream: boolean };
  const ollama = '{"response":"ok","message":{"content":"ok"},"done":true}\n';
  const openai = '{"choices":[{"message":{"content":"ok"},"delta":{"content":"ok"},"finish_reason":"stop"}]}';
  if (turn.request.path.includes('/api/')) return turn.respond(200, {}, ollama);
  await turn.respond(200, {}, stream ? `data: ${openai}\n\n` : openai);
};

beforeEach(() => {
  vi.stubEnv('AI_INFERENCE_API_HOST', undefined);
  vi.stubEnv('AI_INFERENCE_API_KEY', undefined);
});
afterEach(() => vi.unstubAllEnvs());

describe('requests', () => {
  test('a string goes to /api/generate with everything Ollama offers', async () => {
    const llm = await speaking(obliging);
    const options = {
      system: 'Be brief',
      suffix: '}',
      template: 't',
      context: [1, 2],
      raw: true,
      format: { type: 'object' },
      keep_alive: '5m',
      think: 'high',
      logprobs: true,
      top_logprobs: 2,
      options: { temperature: 0, num_ctx: 4096, stop: ['\n'] },
    } as const;
    await llm.run('Hi', {
      ...options,
      context: [1, 2],
      options: { ...options.options, stop: ['\n'] },
      mode: 'ollama',
      timeout: 5,
    });
    const [request] = llms.server.requests;
    expect(request).toMatchObject({ method: 'POST', path: '/api/generate' });
    expect(request?.body).toEqual({ model: 'mistral', prompt: 'Hi', stream: false, ...options });
    expect(request?.headers['content-type']).toBe('application/json');
  });

  test('an object with messages goes to /api/chat, with its own fields and the options', async () => {
    const llm = await speaking(obliging);
    const tools = [{ type: 'function', function: { name: 'now', parameters: { type: 'object' } } }];
    const messages = [{ role: 'user', content: 'Hi' }];
    await llm
      .run({ messages, tools, think: false }, { stream: true, format: 'json', think: true })
      .then((s) => s.text());
    const [request] = llms.server.requests;
    expect(request?.path).toBe('/api/chat');
    expect(request?.body).toEqual({ model: 'mistral', messages, tools, format: 'json', think: false, stream: true });
  });

  test('images are encoded, and the caller keeps his messages; a string is base64 and never a path', async () => {
    const llm = await speaking(obliging);
    const messages = [{ role: 'user', content: 'What is this?', images: [Uint8Array.of(1, 2, 3)] }];
    await llm.run({ messages });
    await llm.run('What is this?', { images: [import.meta.filename] });
    const [chat, generate] = llms.server.requests as { body: { messages: { images: string[] }[]; images: string[] } }[];
    expect(chat?.body.messages[0]?.images).toEqual(['AQID']);
    expect(messages[0]?.images).toEqual([Uint8Array.of(1, 2, 3)]);
    expect(generate?.body.images).toEqual([import.meta.filename]);
  });

  test('fields of a conversation that gteway does not know are passed on', async () => {
    const llm = await speaking(obliging);
    const prompt = { messages: [], from_the_future: { a: 1 } };
    await llm.run(prompt);
    await llm.run(prompt, { mode: 'openaicompatible' });
    for (const { body } of llms.server.requests) expect(body).toMatchObject({ from_the_future: { a: 1 } });
  });

  test('openaicompatible: a string becomes one user message, a body goes as it is', async () => {
    const llm = await speaking(obliging);
    await llm.run('Hi', { mode: 'openaicompatible' });
    const body = { messages: [{ role: 'system', content: 'Be brief' }], temperature: 0, grammar: 'root ::= "a"' };
    const stream = await llm.run(body, { mode: 'openaicompatible', stream: true });
    expect(await stream.text()).toBe('ok');
    const [first, second] = llms.server.requests;
    expect(first).toMatchObject({ method: 'POST', path: '/v1/chat/completions' });
    expect(first?.body).toEqual({ model: 'mistral', messages: [{ role: 'user', content: 'Hi' }], stream: false });
    expect(second?.body).toEqual({ ...body, model: 'mistral', stream: true });
    expect(second?.headers.accept).toBe('text/event-stream');
  });

  test('openaicompatible: n answers are finished when each of them is', async () => {
    const part = (index: number, content: string, finish_reason: string | null): string =>
      `data: ${JSON.stringify({ choices: [{ index, delta: { content }, finish_reason }] })}\n\n`;
    const llm = await speaking(async (turn) => {
      await turn.pieces('text/event-stream', [part(0, 'a', 'stop'), part(1, 'b', null)]);
      await turn.end();
    });
    const stream = await llm.run({ messages: [], n: 2 }, { mode: 'openaicompatible', stream: true });
    expect(await failureOf(stream.text())).toMatchObject({ code: 'ERR_LLM_PROTOCOL' });
  });
});

describe('host', () => {
  const urlOf = async (host: string, mode: 'ollama' | 'openaicompatible' = 'ollama'): Promise<string> => {
    let url = '';
    const llm = new LlmClient('mistral', {
      host,
      fetch: (input) => {
        url = input as string;
        return Promise.resolve(new Response('{"response":"","choices":[],"done":true}'));
      },
    });
    await llm.run('Hi', { mode } as LlmRunOptions);
    return new URL(url).href;
  };

  test.each([
    ['http://box:11434', 'http://box:11434/api/generate'],
    ['http://box', 'http://box/api/generate'],
    ['https://box/', 'https://box/api/generate'],
    ['https://box/ollama/', 'https://box/ollama/api/generate'],
    ['box', 'http://box:11434/api/generate'],
    ['box/ollama', 'http://box:11434/ollama/api/generate'],
    ['box:8080', 'http://box:8080/api/generate'],
    ['box:80', 'http://box/api/generate'],
    ['localhost:11434', 'http://localhost:11434/api/generate'],
    [':11434', 'http://127.0.0.1:11434/api/generate'],
    ['[::1]', 'http://[::1]:11434/api/generate'],
    ['[::1]:80', 'http://[::1]/api/generate'],
    ['  http://box  ', 'http://box/api/generate'],
  ])('ollama: %s', async (host, url) => expect(await urlOf(host)).toBe(url));

  test.each([
    ['http://box', 'http://box/v1/chat/completions'],
    ['box', 'http://box:8080/v1/chat/completions'],
    ['https://box/llm', 'https://box/llm/v1/chat/completions'],
    ['https://box/llm/v1/', 'https://box/llm/v1/chat/completions'],
  ])('openaicompatible: %s', async (host, url) => expect(await urlOf(host, 'openaicompatible')).toBe(url));

  test.each(['ftp://box', 'http://', 'http://box?x=1', 'http://box#x', 'bo x'])('%s is refused', async (host) => {
    const error = await failureOf(new LlmClient('mistral', { host }).run('Hi'));
    expect(error.code).toBe('ERR_LLM_HOST');
    expect(error.message).toContain(host);
  });

  test('none: making the session is fine, running says what to set', async () => {
    for (const empty of [undefined, '', ' ']) {
      vi.stubEnv('AI_INFERENCE_API_HOST', empty);
      const error = await failureOf(new LlmClient('mistral').run('Hi'));
      expect(error.code).toBe('ERR_LLM_HOST');
      expect(error.message).toContain('set AI_INFERENCE_API_HOST');
    }
  });

  test('the environment is read when the session is made, and the option wins', async () => {
    const other = await speaking(obliging);
    const { server } = llms;
    vi.stubEnv('AI_INFERENCE_API_HOST', server.url);
    const llm = new LlmClient('mistral');
    vi.stubEnv('AI_INFERENCE_API_HOST', 'http://127.0.0.1:9');
    expect((await llm.run('Hi')).text).toBe('ok');
    expect((await other.run('Hi')).text).toBe('ok');
    expect(server.requests).toHaveLength(2);
    await llm.close();
  });
});

describe('keys and headers', () => {
  const headersOf = async (options: LlmSessionOptions, mode: LlmRunOptions['mode'] = 'ollama'): Promise<Headers> => {
    let headers = new Headers();
    const llm = new LlmClient('mistral', {
      host: 'box',
      fetch: (_input, init) => {
        headers = new Headers(init?.headers);
        return Promise.resolve(new Response('{"response":"","choices":[],"done":true}'));
      },
      ...options,
    });
    await llm.run('Hi', { mode } as LlmRunOptions);
    return headers;
  };

  test('a key is a bearer token, in both modes, from the option or the environment', async () => {
    vi.stubEnv('AI_INFERENCE_API_KEY', 'from-env\n');
    for (const mode of ['ollama', 'openaicompatible'] as const) {
      expect((await headersOf({}, mode)).get('authorization')).toBe('Bearer from-env');
      expect((await headersOf({ apiKey: 'k' }, mode)).get('authorization')).toBe('Bearer k');
    }
  });

  test('headers win over the key, and over what the clients send', async () => {
    const headers = await headersOf({
      apiKey: 'k',
      headers: { Authorization: 'Custom x', 'User-Agent': 'me', 'X-A': '1' },
    });
    expect(Object.fromEntries(headers)).toMatchObject({ authorization: 'Custom x', 'user-agent': 'me', 'x-a': '1' });
  });

  test('credentials in the host become basic authentication', async () => {
    const headers = await headersOf({ host: 'http://us%40er:p%C3%A4ss@box' });
    expect(headers.get('authorization')).toBe(`Basic ${Buffer.from('us@er:päss').toString('base64')}`);
  });

  test('no key, no header', async () => {
    expect((await headersOf({})).has('authorization')).toBe(false);
  });
});

describe('misuse', () => {
  const llm = new LlmClient('mistral', { host: 'http://127.0.0.1:9' });
  const refused = async (
    prompt: unknown,
    options: unknown,
    type: typeof TypeError | typeof RangeError,
    words: string,
  ) => {
    const outcome = await llm.run(prompt as string, options as object).catch((error: unknown) => error);
    expect(outcome).toBeInstanceOf(type);
    expect((outcome as Error).message).toContain(words);
  };

  test.each([
    ['strem', { strem: true }, "did you mean 'stream'?"],
    ['keepAlive', { keepAlive: 1 }, "did you mean 'keep_alive'?"],
    ['tools for a string', { tools: [] }, "unknown option 'tools'"],
    [
      'a body field beside openaicompatible',
      { mode: 'openaicompatible', temperature: 0 },
      "unknown option 'temperature'",
    ],
    ['mode', { mode: 'openai' }, '"openai"'],
    ['stream', { stream: 'yes' }, 'stream must be true or false'],
    ['timeout', { timeout: '60' }, 'timeout must be a number of seconds'],
    ['signal', { signal: {} }, 'signal must be an AbortSignal'],
  ])('%s', (_name, options, words) => refused('Hi', options, TypeError, words));

  test.each([0, -1, NaN])('timeout: %d', (timeout) => refused('Hi', { timeout }, RangeError, 'more than 0'));

  test.each([
    [undefined, {}, 'got undefined'],
    [null, {}, 'got null'],
    [['Hi'], {}, 'a string or an object with messages'],
    [{ prompt: 'Hi' }, {}, 'a string or an object with messages'],
    [{ messages: [] }, { system: 'x' }, "role: 'system'"],
    [{ messages: [] }, { raw: true }, "unknown option 'raw'"],
    [undefined, { mode: 'openaicompatible' }, 'got undefined'],
    [{ messages: [], model: 'other' }, { mode: 'openaicompatible' }, '"other"'],
    [{ messages: [], stream: true }, { mode: 'openaicompatible' }, 'in the options'],
  ])('prompt %j with %j', (prompt, options, words) => refused(prompt, options, TypeError, words));

  test.each([
    [{ hots: 'box' }, "did you mean 'host'?"],
    [{ host: 1 }, 'host must be a string'],
    [{ apiKey: 1 }, 'apiKey must be a string'],
    [{ fetch: 'x' }, 'fetch must be a function'],
    [{ headers: { 'a b': 'x' } }, 'a b'],
  ])('new session with %j', (options, words) => {
    const make = (): LlmClient => new LlmClient('mistral', options as object);
    expect(make).toThrow(TypeError);
    expect(make).toThrow(words);
  });
});
