/** Language-model sessions under Deno and Bun, beside Node: both faces of a stream, each failure, and no socket left. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, type TestContext } from 'vitest';
import { ScriptedServer, type Script, type Turn } from '../llm/scripted-server.js';
import { here, runtimeTools, type RuntimeName, type Tools } from './tools.js';

let tools: Tools | undefined;
let noTools: string | undefined;
let server: ScriptedServer | undefined;

const pieces = ['Once', ' upon', ' a tíme…'];
const lines = pieces.map((response) => `${JSON.stringify({ response, done: false })}\n`);
const last = '{"response":"","done":true}\n';

interface RequestBody {
  prompt?: string;
  messages?: { content: string; images?: string[] }[];
  stream: boolean;
}

/** Whose answer is to be reset when its client has read it: a reset takes back what was not read. */
let toReset: Turn | undefined;

/** Does what the prompt says. */
const obedient: Script = async (turn) => {
  const { prompt, messages, stream } = turn.request.body as RequestBody;
  const ndjson = 'application/x-ndjson';
  switch (prompt ?? messages?.[0]?.content) {
    case 'story': {
      if (messages !== undefined) {
        const event = (content: string): string =>
          `data: ${JSON.stringify({ choices: [{ delta: { content } }] })}\r\n\r\n`;
        await turn.pieces('text/event-stream', [': hi\r\n\r\n', ...pieces.map(event), 'data: [DONE]']);
        return turn.end();
      }
      if (!stream) return turn.respond(200, {}, JSON.stringify({ response: pieces.join(''), done: true }));
      const bytes = Buffer.from(lines.join('') + last);
      const cut = bytes.indexOf('í') + 1;
      await turn.pieces(ndjson, [bytes.subarray(0, cut), bytes.subarray(cut)]);
      return turn.end();
    }
    case 'echo':
      return turn.respond(200, {}, JSON.stringify({ message: { content: messages?.[0]?.images?.join() }, done: true }));
    case 'endless':
      await turn.pieces(ndjson, lines);
      return turn.closed;
    case 'silence':
      return turn.closed;
    case 'reset':
      toReset = turn;
      await turn.pieces(ndjson, lines);
      return turn.closed;
    case 'now':
      toReset?.reset();
      return turn.respond(200, {}, '{"response":"done","done":true}');
    case 'missing':
      return turn.respond(404, {}, '{"error":"model \'mistral\' not found"}');
    case 'redirect':
      if (turn.request.path.endsWith('/moved')) return turn.respond(200, {}, '{"response":"moved","done":true}');
      return turn.respond(307, { location: `${turn.request.path}/moved` }, '');
    default:
      throw new Error(`the script has no ${JSON.stringify(turn.request.body)}`);
  }
};

beforeAll(async () => {
  const found = await runtimeTools();
  if ('reason' in found) noTools = found.reason;
  else tools = found;
  server = await ScriptedServer.start(obedient);
}, 400_000);
afterAll(() => server?.close());

/** What a step gives; and while the process that took it lives on, no socket may be left of those it cancelled. */
async function step(context: TestContext, runtime: RuntimeName, name: string, noSocketAfter = false): Promise<unknown> {
  const { command, arguments: before } = (tools ?? context.skip(noTools ?? 'the tools were not prepared')).runtime(
    runtime,
  );
  const child = spawn(command, [...before, join(here, 'llm-probe.mjs'), name], {
    cwd: here,
    env: { ...process.env, DENO_NO_UPDATE_CHECK: '1', AI_INFERENCE_API_HOST: server?.url },
  });
  const timer = setTimeout(() => child.kill('SIGKILL'), 280_000);
  let printed = '';
  let errors = '';
  child.stderr.on('data', (bytes: Buffer) => (errors += bytes.toString()));
  const exited = new Promise<number | null>((resolve) => child.once('exit', resolve));
  const result = new Promise<unknown>((resolve) => {
    child.stdout.on('data', (bytes: Buffer) => {
      printed += bytes.toString();
      const line = /^RESULT (.*)\n/m.exec(printed)?.[1];
      if (line !== undefined) resolve(JSON.parse(line));
    });
  });
  try {
    const outcome = await Promise.race([
      result,
      exited.then((status) =>
        Promise.reject(new Error(`${runtime} ${name} ended with ${String(status)}:\n${printed}\n${errors}`)),
      ),
    ]);
    if (noSocketAfter) await server?.untilNoSockets();
    child.stdin.end();
    expect(await exited).toBe(0);
    expect(errors).toBe('');
    await server?.untilNoSockets();
    return outcome;
  } finally {
    clearTimeout(timer);
    child.kill('SIGKILL');
  }
}

describe.each(['deno', 'bun', 'node'] as const)('%s', (runtime) => {
  const text = pieces.join('');

  test('a whole answer', async (context) => {
    expect(await step(context, runtime, 'whole')).toEqual({ text, message: { response: text, done: true } });
  });

  test('chunks', async (context) => {
    expect(await step(context, runtime, 'chunks')).toEqual([...pieces, '']);
  });

  test('a Response', async (context) => {
    const events = [...lines, last].map((line) => `data: ${line}\n`).join('');
    expect(await step(context, runtime, 'response')).toEqual([true, events]);
  });

  test('text, in pieces and whole', async (context) => {
    expect(await step(context, runtime, 'text')).toEqual([pieces, text]);
  });

  test('Chat Completions', async (context) => {
    expect(await step(context, runtime, 'openai')).toBe(text);
  });

  test('images', async (context) => {
    expect(await step(context, runtime, 'images')).toBe('//79');
  });

  test('leaving the loop closes the socket', async (context) => {
    expect(await step(context, runtime, 'breakOut', true)).toBe('left');
  });

  test('cancelling the body of a Response closes the socket', async (context) => {
    expect(await step(context, runtime, 'cancelBody', true)).toBe(true);
  });

  test('cancelling the text closes the socket', async (context) => {
    expect(await step(context, runtime, 'cancelText', true)).toBe('Once');
  });

  test('aborting in the middle closes the socket', async (context) => {
    expect(await step(context, runtime, 'abort', true)).toEqual({
      code: 'ERR_ABORTED',
      name: 'AbortError',
      received: text,
    });
  });

  test('aborting before the headers closes the socket', async (context) => {
    expect(await step(context, runtime, 'abortBeforeHeaders', true)).toMatchObject({ code: 'ERR_ABORTED' });
  });

  test('a timeout, before the headers and in the middle, closes the socket', async (context) => {
    expect(await step(context, runtime, 'timeout', true)).toEqual([
      { code: 'ERR_TIMEOUT', name: 'TimeoutError', received: '' },
      { code: 'ERR_TIMEOUT', name: 'TimeoutError', received: text },
    ]);
  });

  test('closing the session closes the socket', async (context) => {
    expect(await step(context, runtime, 'close', true)).toMatchObject([
      { code: 'ERR_CLOSED', received: text },
      { code: 'ERR_CLOSED' },
    ]);
  });

  test('a reset in the middle', async (context) => {
    expect(await step(context, runtime, 'reset')).toMatchObject({ code: 'ERR_LLM_UNREACHABLE', received: text });
  });

  test('a missing model', async (context) => {
    expect(await step(context, runtime, 'status')).toMatchObject({ code: 'ERR_LLM_MODEL_MISSING' });
  });

  test('a redirect', async (context) => {
    expect(await step(context, runtime, 'redirect')).toBe('moved');
  });

  test('a refused connection', async (context) => {
    expect(await step(context, runtime, 'unreachable')).toMatchObject({ code: 'ERR_LLM_UNREACHABLE' });
  });
});
