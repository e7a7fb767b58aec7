/** How Ollama and what stands between it and us really speak, each case byte for byte over a socket. */
import { describe, expect, test } from 'vitest';
import type { LlmClient } from '../../lib/llm/client.js';
import { failureOf } from './failure-of.js';
import { llmFixture } from './llm-fixture.js';

const llms = llmFixture('mistral', 'application/x-ndjson');
const { speaking, sending } = llms;

const line = (response: string, rest: object = {}): string =>
  `${JSON.stringify({ model: 'mistral', created_at: '2026-01-01T00:00:00Z', response, done: false, ...rest })}\n`;
const last = line('', { done: true, done_reason: 'stop', eval_count: 3 });

async function textsOf(llm: LlmClient): Promise<(string | undefined)[]> {
  const texts: (string | undefined)[] = [];
  for await (const chunk of await llm.run('Hi', { stream: true })) texts.push(chunk.response);
  return texts;
}

describe('ollama, streaming', () => {
  test('one object per line gives one chunk each, and the last has the counts', async () => {
    const llm = await sending(line('Hel'), line('lo'), last);
    const chunks = [];
    for await (const chunk of await llm.run('Hi', { stream: true })) chunks.push(chunk);
    expect(chunks.map((chunk) => chunk.response)).toEqual(['Hel', 'lo', '']);
    expect(chunks[2]).toMatchObject({ done: true, done_reason: 'stop', eval_count: 3 });
  });

  test('a line cut in the middle', async () => {
    const whole = line('Hello');
    expect(await textsOf(await sending(whole.slice(0, 25), whole.slice(25, 26), whole.slice(26), last))).toEqual([
      'Hello',
      '',
    ]);
  });

  test('a UTF-8 character cut in the middle, at every byte', async () => {
    const bytes = Buffer.from(line('é世🦙'));
    const pieces = Array.from(bytes, (byte) => Uint8Array.of(byte));
    expect(await textsOf(await sending(...pieces, last))).toEqual(['é世🦙', '']);
  });

  test('several objects in one chunk, and on one line', async () => {
    expect(await textsOf(await sending(line('a') + line('b') + line('c').trimEnd() + line('d') + last))).toEqual([
      'a',
      'b',
      'c',
      'd',
      '',
    ]);
  });

  test('braces, quotes and backslashes inside strings', async () => {
    const text = '}{"\\"}\n[{';
    expect(await textsOf(await sending(line(text).slice(0, 90), line(text).slice(90), last))).toEqual([text, '']);
  });

  test('pretty-printed objects, CRLF, blank lines and a byte order mark', async () => {
    const pretty = (object: object): string => JSON.stringify(object, undefined, 2).replaceAll('\n', '\r\n');
    const llm = await sending(
      '\ufeff\r\n',
      pretty({ response: 'a', done: false }),
      '\r\n\r\n',
      pretty({ response: 'b', done: true }),
    );
    expect(await textsOf(llm)).toEqual(['a', 'b']);
  });

  test('an error under status 200 is the error the server reports, with the text before it', async () => {
    const llm = await sending(line('Hel'), '{"error":"an error was encountered while running the model: CUDA"}\n');
    const error = await failureOf(textsOf(llm));
    expect(error).toMatchObject({
      code: 'ERR_LLM_STATUS',
      details: {
        status: 200,
        serverMessage: expect.stringContaining('CUDA') as string,
        received: 'Hel',
        model: 'mistral',
      },
    });
    expect(error.message).toContain('CUDA');
  });

  test('done_reason without done ends the answer', async () => {
    const llm = await sending(line('Hi'), '{"response":"!","done_reason":"stop"}\n');
    expect(await textsOf(llm)).toEqual(['Hi', '!']);
  });

  test('the connection may stay open after the last message', async () => {
    const llm = await speaking(async (turn) => {
      await turn.pieces('application/x-ndjson', [line('Hi'), last]);
      await turn.closed;
    });
    expect(await textsOf(llm)).toEqual(['Hi', '']);
    await llms.server.untilNoSockets();
  });

  test('a stream that ends without its last message is no whole answer', async () => {
    const error = await failureOf(textsOf(await sending(line('Hel'), line('lo'))));
    expect(error).toMatchObject({ code: 'ERR_LLM_PROTOCOL', details: { received: 'Hello' } });
    expect(error.message).toContain('before its last message');
  });

  test('a stream that ends within a message quotes what it cut', async () => {
    const error = await failureOf(textsOf(await sending(line('Hel'), '{"response":"l')));
    expect(error).toMatchObject({ code: 'ERR_LLM_PROTOCOL', details: { received: 'Hel' } });
    expect(error.message).toContain('{"response":"l');
  });

  test('a page of HTML under status 200 is not waited out', async () => {
    const llm = await speaking(async (turn) => {
      await turn.pieces('text/html', ['<html><body>Sign in to the hotel network']);
      await turn.closed;
    });
    expect(await failureOf(textsOf(llm))).toMatchObject({ code: 'ERR_LLM_PROTOCOL' });
    await llms.server.untilNoSockets();
  });

  test('an object that is no JSON inside is a protocol error', async () => {
    const error = await failureOf(textsOf(await sending(line('a'), "{'response': 'b'}\n", last)));
    expect(error).toMatchObject({ code: 'ERR_LLM_PROTOCOL', details: { received: 'a' } });
  });

  test('a chat gives chunks with messages, thinking and tool calls', async () => {
    const call = { function: { name: 'weather', arguments: { city: 'Paris' } } };
    const llm = await sending(
      '{"message":{"role":"assistant","content":"","thinking":"hm"},"done":false}\n',
      `{"message":{"role":"assistant","content":null,"tool_calls":[${JSON.stringify(call)}]},"done":false}\n`,
      '{"message":{"role":"assistant","content":"ok"},"done":true,"done_reason":"stop"}\n',
    );
    const stream = await llm.run({ messages: [{ role: 'user', content: 'Hi' }] }, { stream: true });
    const chunks = [];
    for await (const { message } of stream) chunks.push(message);
    expect(chunks[0]?.thinking).toBe('hm');
    expect(chunks[1]?.tool_calls).toEqual([call]);
    expect(chunks[2]?.content).toBe('ok');
  });
});

describe('ollama, whole', () => {
  test('the message as it came, and its text', async () => {
    const message = { model: 'mistral', response: 'Hello', done: true, done_reason: 'stop', eval_count: 2 };
    const llm = await speaking((turn) =>
      turn.respond(200, { 'content-type': 'application/json' }, JSON.stringify(message)),
    );
    const answer = await llm.run('Hi');
    expect({ ...answer }).toEqual(message);
    expect(answer.text).toBe('Hello');
    expect(String(answer)).toBe('Hello');
    expect(JSON.parse(JSON.stringify({ answer }))).toEqual({ answer: message });
    expect(JSON.parse(JSON.stringify({ role: 'assistant', content: answer }))).toEqual({
      role: 'assistant',
      content: 'Hello',
    });
  });

  test('pretty-printed JSON, in pieces', async () => {
    const text = JSON.stringify({ message: { role: 'assistant', content: 'Hé' }, done: true }, undefined, 4);
    const bytes = Buffer.from(text);
    const cut = bytes.indexOf('é') + 1;
    const llm = await sending(bytes.subarray(0, cut), bytes.subarray(cut));
    const answer = await llm.run({ messages: [{ role: 'user', content: 'Hi' }] });
    expect(answer.message.content).toBe('Hé');
    expect(answer.text).toBe('Hé');
  });

  test('an error under status 200', async () => {
    const llm = await speaking((turn) => turn.respond(200, {}, '{"error":"out of memory"}'));
    expect(await failureOf(llm.run('Hi'))).toMatchObject({
      code: 'ERR_LLM_STATUS',
      details: { status: 200, serverMessage: 'out of memory' },
    });
  });

  test('a model that is missing, under status 200', async () => {
    const llm = await speaking((turn) =>
      turn.respond(200, {}, '{"error":"model \'mistral\' not found, try pulling it first"}'),
    );
    expect(await failureOf(llm.run('Hi'))).toMatchObject({ code: 'ERR_LLM_MODEL_MISSING' });
  });

  test.each([
    ['no JSON', 'Hello'],
    ['a cut object', '{"response":"Hel'],
    ['nothing', ''],
    ['no object', '"Hello"'],
  ])('%s is a protocol error that carries what came', async (_name, body) => {
    const llm = await speaking((turn) => turn.respond(200, {}, body));
    expect(await failureOf(llm.run('Hi'))).toMatchObject({ code: 'ERR_LLM_PROTOCOL', details: { received: body } });
  });

  test('no text is an empty text', async () => {
    const llm = await speaking((turn) =>
      turn.respond(200, {}, '{"message":{"role":"assistant","content":null},"done":true}'),
    );
    expect((await llm.run({ messages: [] })).text).toBe('');
  });
});
