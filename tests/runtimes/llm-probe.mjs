// A language-model session in whatever runtime runs this: `llm-probe.mjs <step>`, with the results as a line of JSON.
// The server answers by the prompt: see llm.test.ts.
import { Session } from 'gteway';

const session = new Session('mistral');
const failure = (error) => ({ code: error.code, name: error.name, received: error.details?.received });
const failed = (work) => work.then((value) => ({ value }), failure);

/** Reads a stream to its end, and calls `then` when the three pieces of the story have come. */
async function readAll(stream, then) {
  let pieces = 0;
  for await (const { response } of stream) if (response && ++pieces === 3) void then();
}

const steps = {
  async whole() {
    const answer = await session.run('story');
    return { text: answer.text, message: answer };
  },

  async chunks() {
    const responses = [];
    for await (const chunk of await session.run('story', { stream: true })) responses.push(chunk.response);
    return responses;
  },

  async response() {
    const stream = await session.run('story', { stream: true });
    const response = new Response(stream, { headers: { 'content-type': 'text/event-stream' } });
    return [stream instanceof ReadableStream, await response.text()];
  },

  async text() {
    const pieces = [];
    for await (const piece of (await session.run('story', { stream: true })).textStream()) pieces.push(piece);
    return [pieces, await (await session.run('story', { stream: true })).text()];
  },

  async openai() {
    const stream = await session.run('story', { mode: 'openaicompatible', stream: true });
    return stream.text();
  },

  async images() {
    const images = [Uint8Array.of(255, 254, 253)];
    return (await session.run({ messages: [{ role: 'user', content: 'echo', images }] })).text;
  },

  async breakOut() {
    for await (const chunk of await session.run('endless', { stream: true })) if (chunk.response) break;
    return 'left';
  },

  async cancelBody() {
    const reader = new Response(await session.run('endless', { stream: true })).body.getReader();
    await reader.read();
    const waiting = reader.read();
    await reader.cancel();
    return (await waiting).done;
  },

  async cancelText() {
    const reader = (await session.run('endless', { stream: true })).textStream().getReader();
    const { value } = await reader.read();
    await reader.cancel();
    return value;
  },

  async abort() {
    const abort = new AbortController();
    const stream = await session.run('endless', { stream: true, signal: abort.signal });
    return failed(readAll(stream, () => abort.abort()));
  },

  async abortBeforeHeaders() {
    return failed(session.run('silence', { signal: AbortSignal.timeout(100) }));
  },

  async timeout() {
    const before = await failed(session.run('silence', { timeout: 0.1 }));
    const stream = await session.run('endless', { stream: true, timeout: 1 });
    return [before, await failed(stream.text())];
  },

  async close() {
    const stream = await session.run('endless', { stream: true });
    const reading = await failed(readAll(stream, () => session.close()));
    return [reading, await failed(session.run('story'))];
  },

  async reset() {
    const stream = await session.run('reset', { stream: true });
    return failed(readAll(stream, () => session.run('now').catch(() => undefined)));
  },

  async status() {
    return failed(session.run('missing'));
  },

  async redirect() {
    return (await session.run('redirect')).text;
  },

  async unreachable() {
    return failed(new Session('mistral', { host: 'http://127.0.0.1:1' }).run('story'));
  },
};

console.log(`RESULT ${JSON.stringify(await steps[process.argv[2]]())}`);
// What was cancelled must be gone without the process ending: the test looks at the server's sockets now.
await new Promise((resolve) => process.stdin.resume().once('end', resolve));
await session.close();
