/**
 * An HTTP endpoint that streams a model's answer to the browser as server-sent events.
 *
 *   node examples/streaming-endpoint.mjs                                  (a scripted server stands in for the model)
 *   AI_INFERENCE_API_HOST=http://localhost:11434 node examples/streaming-endpoint.mjs mistral
 *
 * It asks itself once, as a browser would, and then serves until Ctrl-C; with --once it ends.
 */
import { createServer } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { isGtewayError, Session } from 'gteway';
import { startScriptedLlmServer } from './scripted-llm-server.mjs';

const standIn = process.env.AI_INFERENCE_API_HOST ? undefined : await startScriptedLlmServer();
if (standIn) process.env.AI_INFERENCE_API_HOST = standIn.url;

const [model = 'mistral'] = process.argv.slice(2).filter((argument) => !argument.startsWith('--'));
const session = new Session(model);

/** The endpoint itself, as it would be in any framework that speaks Request and Response. */
async function chat(request) {
  const { prompt } = await request.json();
  if (typeof prompt !== 'string') return Response.json({ error: 'prompt must be a string' }, { status: 400 });
  try {
    const stream = await session.run(prompt, { stream: true });
    return new Response(stream, { headers: { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' } });
  } catch (error) {
    if (!isGtewayError(error)) throw error;
    return Response.json({ error: error.code }, { status: 502 });
  }
}

const server = createServer(async (incoming, outgoing) => {
  let response = new Response('POST a prompt', { status: 405 });
  if (incoming.method === 'POST') {
    const request = new Request('http://localhost', { method: 'POST', body: Readable.toWeb(incoming), duplex: 'half' });
    response = await chat(request).catch(() => new Response('the body must be JSON', { status: 400 }));
  }
  outgoing.writeHead(response.status, Object.fromEntries(response.headers));
  // A reader who leaves ends the pipeline, that cancels the body, and that ends the generation.
  await pipeline(Readable.fromWeb(response.body), outgoing).catch(() => undefined);
});
await new Promise((resolve) => server.listen(Number(process.env.PORT ?? 0), '127.0.0.1', resolve));
const url = `http://127.0.0.1:${server.address().port}/chat`;
console.log(`POST {"prompt": "…"} to ${url}`);

const response = await fetch(url, { method: 'POST', body: JSON.stringify({ prompt: 'Tell me a story' }) });
console.log(`${response.status} ${response.headers.get('content-type')}`);
for await (const text of response.body.pipeThrough(new TextDecoderStream())) process.stdout.write(text);

if (process.argv.includes('--once')) {
  server.closeAllConnections();
  server.close();
  await session.close();
  await standIn?.close();
}
