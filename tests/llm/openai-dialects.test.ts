/** How llamafile, llama.cpp's server and their relatives really speak Chat Completions, byte for byte over a socket. */
import { describe, expect, test } from 'vitest';
import type { ChatCompletionChunk } from '../../lib/llm/chat-completions.js';
import type { LlmClient } from '../../lib/llm/client.js';
import { failureOf } from './failure-of.js';
import { llmFixture } from './llm-fixture.js';

const llms = llmFixture('LLaMA_CPP', 'text/event-stream');
const { speaking, sending } = llms;

const json = (content: string | null | undefined, finish_reason: string | null = null): string =>
  JSON.stringify({
    id: 'x',
    object: 'chat.completion.chunk',
    choices: [{ index: 0, delta: { content }, finish_reason }],
  });
const event = (content: string | null | undefined, finish?: string): string =>
  `data: ${json(content, finish ?? null)}\n\n`;
const done = 'data: [DONE]\n\n';

async function chunksOf(llm: LlmClient): Promise<ChatCompletionChunk[]> {
  const chunks: ChatCompletionChunk[] = [];
  for await (const chunk of await llm.run('Hi', { mode: 'openaicompatible', stream: true })) chunks.push(chunk);
  return chunks;
}

async function textOf(llm: LlmClient): Promise<string> {
  return (await llm.run('Hi', { mode: 'openaicompatible', stream: true })).text();
}

describe('openaicompatible, streaming', () => {
  test('events give chunks, and [DONE] is none of them', async () => {
    const chunks = await chunksOf(await sending(event('Hel'), event('lo'), event(undefined, 'stop'), done));
    expect(chunks.map((chunk) => chunk.choices[0]?.delta.content)).toEqual(['Hel', 'lo', undefined]);
  });

  test('comments, pings, ids and retry fields', async () => {
    const text = await textOf(
      await sending(
        ': ping\n\n:\n\n',
        'event: ping\ndata: {"type":"ping"}\n\n',
        'id: 7\nretry: 3000\n',
        event('Hi'),
        'data:\n\n',
        ': OPENROUTER PROCESSING\n\n',
        event('!', 'stop'),
        done,
      ),
    );
    expect(text).toBe('Hi!');
  });

  test('CRLF, CR, and no space after the colon', async () => {
    const text = await textOf(
      await sending(
        `data: ${json('a')}\r\n\r`,
        `\ndata:${json('b')}\r\n\r\n`,
        `data: ${json('c')}\r\r`,
        `data: ${json('d', 'stop')}\r\n\r\ndata: [DONE]\r\n\r\n`,
      ),
    );
    expect(text).toBe('abcd');
  });

  test('data over several lines', async () => {
    const pretty = JSON.stringify(JSON.parse(json('Hi', 'stop')), undefined, 2);
    const lines = pretty.split('\n').map((text) => `data: ${text}\n`);
    expect(await textOf(await sending(...lines, '\n', done))).toBe('Hi');
  });

  test('events cut anywhere, also in the middle of a UTF-8 character', async () => {
    const bytes = Buffer.from(event('é世🦙') + event('!', 'stop') + done);
    expect(await textOf(await sending(...Array.from(bytes, (byte) => Uint8Array.of(byte))))).toBe('é世🦙!');
  });

  test('several events in one piece', async () => {
    expect(await textOf(await sending(event('a') + event('b') + event('c', 'stop') + done))).toBe('abc');
  });

  test('a missing [DONE] after the finish reason', async () => {
    expect(await textOf(await sending(event('Hi'), event('', 'stop')))).toBe('Hi');
  });

  test('an unterminated [DONE]', async () => {
    expect(await textOf(await sending(event('Hi'), 'data: [DONE]'))).toBe('Hi');
    expect(await textOf(await sending(event('Hi'), 'data: [DONE]\n'))).toBe('Hi');
  });

  test('a last event without its blank line', async () => {
    expect(await textOf(await sending(event('Hi'), `data: ${json('!', 'stop')}`))).toBe('Hi!');
  });

  test('the connection may stay open after [DONE]', async () => {
    const llm = await speaking(async (turn) => {
      await turn.pieces('text/event-stream', [event('Hi', 'stop'), done]);
      await turn.closed;
    });
    expect(await textOf(llm)).toBe('Hi');
    await llms.server.untilNoSockets();
  });

  test('the connection may stay open, or break, after the finish reason', async () => {
    const silent = await speaking(async (turn) => {
      await turn.pieces('text/event-stream', [event('Hi', 'stop')]);
      await turn.closed;
    });
    expect(await textOf(silent)).toBe('Hi');
    await llms.server.untilNoSockets();
    const broken = await speaking(async (turn) => {
      await turn.pieces('text/event-stream', [event('Hi', 'stop')]);
      turn.hangUp();
    });
    expect(await textOf(broken)).toBe('Hi');
  });

  test('a stream that ends without its last event', async () => {
    const error = await failureOf(textOf(await sending(event('Hel'), event('lo'))));
    expect(error).toMatchObject({ code: 'ERR_LLM_PROTOCOL', details: { received: 'Hello' } });
  });

  test('a stream that ends within an event', async () => {
    const error = await failureOf(textOf(await sending(event('Hel'), 'data: {"choices":[{"delta":{"con')));
    expect(error).toMatchObject({ code: 'ERR_LLM_PROTOCOL', details: { received: 'Hel' } });
  });

  test('content: null, empty choices, choices without delta, chunks that bring usage alone', async () => {
    const usage = { prompt_tokens: 1, completion_tokens: 2, total_tokens: 3 };
    const chunks = await chunksOf(
      await sending(
        'data: {"choices":[]}\n\n',
        event(null),
        event('Hi'),
        'data: {"choices":[{"index":0,"finish_reason":"stop"}]}\n\n',
        `data: ${JSON.stringify({ choices: [], usage })}\n\n`,
        `data: ${JSON.stringify({ usage })}\n\n`,
        done,
      ),
    );
    expect(chunks.map(({ choices }) => choices.length)).toEqual([0, 1, 1, 1, 0, 0]);
    expect(chunks[4]?.usage).toEqual(usage);
    expect(chunks[5]?.usage).toEqual(usage);
    expect(await textOf(await sending('data: {"choices":[]}\n\n', event(null), event('Hi', 'stop'), done))).toBe('Hi');
  });

  test.each(['length', 'tool_calls', 'content_filter'])('finish_reason %s is a finished answer', async (reason) => {
    const chunks = await chunksOf(await sending(event('Hi'), event(null, reason), done));
    expect(chunks.at(-1)?.choices[0]?.finish_reason).toBe(reason);
  });

  test.each([
    ['an error: field', 'error: {"code":500,"message":"slot unavailable","type":"server_error"}\n\n'],
    ['an error event', 'event: error\ndata: {"code":500,"message":"slot unavailable"}\n\n'],
    ['an error object', 'data: {"error":{"code":500,"message":"slot unavailable"}}\n\n'],
  ])('%s is the error the server reports, with the text before it', async (_name, text) => {
    const error = await failureOf(textOf(await sending(event('Hel'), text)));
    expect(error).toMatchObject({
      code: 'ERR_LLM_STATUS',
      details: { status: 500, serverMessage: 'slot unavailable', received: 'Hel' },
    });
  });

  test('data that is no JSON is a protocol error, after the chunks before it', async () => {
    const seen: unknown[] = [];
    const llm = await sending(event('Hel') + 'data: oops\n\n' + event('lo', 'stop') + done);
    const stream = await llm.run('Hi', { mode: 'openaicompatible', stream: true });
    const error = await failureOf(
      (async () => {
        for await (const chunk of stream) seen.push(chunk.choices[0]?.delta.content);
      })(),
    );
    expect(seen).toEqual(['Hel']);
    expect(error).toMatchObject({ code: 'ERR_LLM_PROTOCOL', details: { received: 'Hel' } });
  });

  test('JSON instead of events: an error is reported, an answer is a broken promise', async () => {
    const type = { 'content-type': 'application/json; charset=utf-8' };
    const failing = await speaking((turn) => turn.respond(200, type, '{"error":{"message":"busy","code":503}}'));
    expect(await failureOf(textOf(failing))).toMatchObject({ code: 'ERR_LLM_STATUS', details: { status: 503 } });
    const whole = await speaking((turn) => turn.respond(200, type, '{"choices":[]}'));
    expect(await failureOf(textOf(whole))).toMatchObject({ code: 'ERR_LLM_PROTOCOL' });
  });

  test('an event without end is refused before it fills the memory', async () => {
    const piece = 'x'.repeat(1024 * 1024);
    const llm = await speaking(async (turn) => {
      await turn.head(200, { 'content-type': 'text/event-stream', 'transfer-encoding': 'chunked' });
      await turn.piece('data: ');
      for (let sent = 0; sent < 64 && !turn.isClosed; sent++) await turn.piece(piece);
    });
    expect(await failureOf(textOf(llm))).toMatchObject({ code: 'ERR_LLM_PROTOCOL' });
  });
});

describe('openaicompatible, whole', () => {
  const completion = (content: string | null, finish_reason = 'stop'): object => ({
    id: 'x',
    object: 'chat.completion',
    choices: [{ index: 0, message: { role: 'assistant', content }, finish_reason }],
  });

  test('pretty-printed JSON, as llamafile sends it', async () => {
    const message = completion('Hello');
    const body = JSON.stringify(message, undefined, 2);
    const llm = await speaking((turn) => turn.respond(200, { 'content-type': 'application/json' }, body));
    const answer = await llm.run('Hi', { mode: 'openaicompatible' });
    expect({ ...answer }).toEqual(message);
    expect(answer.text).toBe('Hello');
  });

  test.each([
    ['content: null with a call of a tool', completion(null, 'tool_calls')],
    ['content_filter', completion('', 'content_filter')],
    ['empty choices', { choices: [] }],
  ])('%s is a finished answer without text', async (_name, body) => {
    const llm = await speaking((turn) => turn.respond(200, {}, JSON.stringify(body)));
    expect((await llm.run('Hi', { mode: 'openaicompatible' })).text).toBe('');
  });

  test('length is a finished answer with text', async () => {
    const llm = await speaking((turn) => turn.respond(200, {}, JSON.stringify(completion('Hel', 'length'))));
    const answer = await llm.run('Hi', { mode: 'openaicompatible' });
    expect(answer.text).toBe('Hel');
    expect(answer.choices[0]?.finish_reason).toBe('length');
  });

  test.each([
    ['no choices', '{"object":"list"}'],
    ['no JSON', 'Hello'],
  ])('%s is a protocol error', async (_name, body) => {
    const llm = await speaking((turn) => turn.respond(200, {}, body));
    expect(await failureOf(llm.run('Hi', { mode: 'openaicompatible' }))).toMatchObject({
      code: 'ERR_LLM_PROTOCOL',
      details: { received: body },
    });
  });

  test('an error under status 200', async () => {
    const llm = await speaking((turn) => turn.respond(200, {}, '{"error":{"message":"busy"}}'));
    expect(await failureOf(llm.run('Hi', { mode: 'openaicompatible' }))).toMatchObject({
      code: 'ERR_LLM_STATUS',
      details: { status: 200, serverMessage: 'busy' },
    });
  });
});
