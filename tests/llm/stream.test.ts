/** The faces of a streaming answer, and what reading slowly, or no longer, does to the server. */
import { describe, expect, test } from 'vitest';
import { GtewayError } from '../../lib/errors.js';
import type { LlmRunOptions } from '../../lib/llm/options.js';
import { failureOf } from './failure-of.js';
import { llmFixture } from './llm-fixture.js';
import type { Turn } from './scripted-server.js';

const llms = llmFixture('mistral', 'application/x-ndjson');
const { speaking, sending } = llms;
const ndjson = 'application/x-ndjson';
const line = (response: string): string => `${JSON.stringify({ response, done: false })}\n`;
const last = '{"response":"","done":true}\n';
const completion = (content: string, finish_reason: string | null): string =>
  `data: ${JSON.stringify({ choices: [{ index: 0, delta: { content }, finish_reason }] })}\n\n`;

describe('as a Response', () => {
  test('each chunk is a server-sent event', async () => {
    const llm = await sending(line('Hé'), line('"\n'), last);
    const response = new Response(await llm.run('Hi', { stream: true }), {
      headers: { 'Content-Type': 'text/event-stream' },
    });
    expect(await response.text()).toBe(
      'data: {"response":"Hé","done":false}\n\n' +
        'data: {"response":"\\"\\n","done":false}\n\n' +
        'data: {"response":"","done":true}\n\n',
    );
  });

  test('in openaicompatible mode it is the protocol again, with [DONE]', async () => {
    const llm = await speaking(async (turn) => {
      await turn.pieces('text/event-stream', [completion('Hi', 'stop'), 'data: [DONE]\n\n']);
      await turn.end();
    });
    const response = new Response(await llm.run('Hi', { mode: 'openaicompatible', stream: true }));
    expect(await response.text()).toBe(`${completion('Hi', 'stop')}data: [DONE]\n\n`);
  });

  test("the guide's reader in the browser sees every event", async () => {
    const llm = await sending(line('a'), line('b'), last);
    const response = new Response(await llm.run('Hi', { stream: true }));
    const reader = response.body?.getReader();
    const decoder = new TextDecoder();
    const texts: string[] = [];
    for (;;) {
      const result = await reader?.read();
      if (result === undefined || result.done) break;
      texts.push(decoder.decode(result.value as Uint8Array));
    }
    expect(texts).toHaveLength(3);
  });

  test('a failure is an event that says which, and not where the server is', async () => {
    const llm = await speaking(async (turn) => {
      await turn.pieces(ndjson, [line('Hel')]);
      turn.hangUp();
    });
    const text = await new Response(await llm.run('Hi', { stream: true })).text();
    expect(text).toBe(
      'data: {"response":"Hel","done":false}\n\n' +
        'event: error\ndata: {"error":{"code":"ERR_LLM_UNREACHABLE","message":"the connection to the language model broke"}}\n\n',
    );
    expect(text).not.toContain('127.0.0.1');
  });

  test('cancelling its body ends the request, also while it waits', async () => {
    const llm = await speaking(async (turn) => {
      await turn.pieces(ndjson, [line('Hel')]);
      await turn.closed;
    });
    const reader = new Response(await llm.run('Hi', { stream: true })).body?.getReader();
    await reader?.read();
    const waiting = reader?.read();
    await reader?.cancel('enough');
    expect(await waiting).toEqual({ done: true, value: undefined });
    await llms.server.untilNoSockets();
  });
});

describe('iterated', () => {
  test('leaving the loop ends the request', async () => {
    const llm = await speaking(async (turn) => {
      await turn.pieces(ndjson, [line('a'), line('b'), line('c')]);
      await turn.closed;
    });
    for await (const chunk of await llm.run('Hi', { stream: true })) {
      if (chunk.response === 'b') break;
    }
    await llms.server.untilNoSockets();
  });

  test('throwing in the loop ends the request, and the error is the one thrown', async () => {
    const llm = await speaking(async (turn) => {
      await turn.pieces(ndjson, [line('a')]);
      await turn.closed;
    });
    const stream = await llm.run('Hi', { stream: true });
    const mine = new Error('mine');
    const loop = (async () => {
      for await (const chunk of stream) if (chunk.response === 'a') throw mine;
    })();
    await expect(loop).rejects.toBe(mine);
    await llms.server.untilNoSockets();
  });

  test('return() does not wait for the server', async () => {
    const llm = await speaking(async (turn) => {
      await turn.pieces(ndjson, []);
      await turn.closed;
    });
    const chunks = (await llm.run('Hi', { stream: true }))[Symbol.asyncIterator]();
    const waiting = chunks.next();
    expect(await chunks.return()).toEqual({ done: true, value: undefined });
    expect(await waiting).toEqual({ done: true, value: undefined });
    await llms.server.untilNoSockets();
  });

  test('await using ends the request at the end of the block', async () => {
    const llm = await speaking(async (turn) => {
      await turn.pieces(ndjson, [line('a')]);
      await turn.closed;
    });
    {
      await using chunks = (await llm.run('Hi', { stream: true }))[Symbol.asyncIterator]();
      expect((await chunks.next()).value?.response).toBe('a');
    }
    await llms.server.untilNoSockets();
  });
});

describe('as text', () => {
  test('textStream() gives the pieces that are not empty', async () => {
    const llm = await sending(line('Hel'), line(''), line('lo'), last);
    const pieces: string[] = [];
    for await (const piece of (await llm.run('Hi', { stream: true })).textStream()) pieces.push(piece);
    expect(pieces).toEqual(['Hel', 'lo']);
  });

  test('textStream() fails as the answer does, and its cancelling ends the request', async () => {
    const llm = await speaking(async (turn) => {
      await turn.pieces(ndjson, [line('Hel')]);
      await turn.closed;
    });
    const texts = (await llm.run('Hi', { stream: true })).textStream().getReader();
    expect((await texts.read()).value).toBe('Hel');
    await texts.cancel();
    await llms.server.untilNoSockets();
    const failing = (await llm.run('Hi', { stream: true, timeout: 2 })).textStream().getReader();
    await failing.read();
    expect(await failureOf(failing.read())).toMatchObject({ code: 'ERR_TIMEOUT', details: { received: 'Hel' } });
  });

  test('text() is the whole text', async () => {
    const llm = await sending(line('Hel'), line('lo'), last);
    expect(await (await llm.run('Hi', { stream: true })).text()).toBe('Hello');
  });
});

describe('read one way, once', () => {
  test('a second reader is refused, whichever face it takes', async () => {
    const llm = await sending(line('Hel'), last);
    const stream = await llm.run('Hi', { stream: true });
    const chunks = stream[Symbol.asyncIterator]();
    expect(() => stream[Symbol.asyncIterator]()).toThrow(TypeError);
    expect(() => stream.textStream()).toThrow('is being read already');
    await expect(stream.text()).rejects.toThrow(TypeError);
    expect(() => new Response(stream)).toThrow(TypeError);
    await chunks.return();
  });

  test('values() and getReader() give the bytes of the events', async () => {
    const llm = await sending(line('Hel'), last);
    const sizes: number[] = [];
    for await (const bytes of (await llm.run('Hi', { stream: true })).values())
      sizes.push((bytes as Uint8Array).length);
    expect(sizes).toHaveLength(2);
  });
});

describe('back-pressure', () => {
  const size = 64 * 1024;
  const count = 1024;

  test.each(['chunks', 'events', 'text'] as const)('an unread stream of %s stops the server', async (face) => {
    let sent = 0;
    const llm = await speaking(async (turn: Turn) => {
      await turn.head(200, { 'content-type': ndjson, 'transfer-encoding': 'chunked' });
      const body = Buffer.from(line('x'.repeat(size)));
      const piece = Buffer.concat([Buffer.from(`${body.length.toString(16)}\r\n`), body, Buffer.from('\r\n')]);
      for (; sent < count && !turn.isClosed; sent++) await turn.write(piece);
      await turn.piece(last);
      await turn.end();
    });
    const stream = await llm.run('Hi', { stream: true });
    const iterator =
      face === 'chunks'
        ? stream[Symbol.asyncIterator]()
        : (face === 'events' ? stream : stream.textStream()).values()[Symbol.asyncIterator]();
    await iterator.next();
    // The kernel's buffers on both sides take some megabytes; then nothing moves.
    let before = -1;
    while (before !== sent) {
      before = sent;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    expect(sent).toBeLessThan(count / 2);
    let more = 1;
    while ((await iterator.next()).done !== true) more++;
    expect(sent).toBe(count);
    expect(more).toBe(face === 'text' ? count : count + 1);
  });
});

test('a stream is a ReadableStream, and its failures are GtewayErrors of the session', async () => {
  const llm = await speaking((turn) => turn.respond(200, {}, '{"error":"x"}'));
  const stream = await llm.run('Hi', { stream: true } satisfies LlmRunOptions);
  expect(stream).toBeInstanceOf(ReadableStream);
  await expect((stream as { text(): Promise<string> }).text()).rejects.toBeInstanceOf(GtewayError);
});
