/**
 * Runs the module of an Edge Function under Node or Bun: `node edge-host.mjs function.mjs`. It stands in for the two
 * things of Deno that Edge Functions use, `Deno.serve` and `Deno.env`, and prints where it listens as Deno does.
 */
import { createServer } from 'node:http';
import { resolve } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { pathToFileURL } from 'node:url';

globalThis.Deno = {
  env: { get: (name) => process.env[name] },
  serve: (handler) => (process.versions.bun ? serveWithBun(handler) : serveWithNode(handler)),
};

function serveWithBun(handler) {
  const server = globalThis.Bun.serve({ hostname: '127.0.0.1', port: 0, idleTimeout: 0, fetch: handler });
  console.log(`Listening on ${server.url}`);
}

function serveWithNode(handler) {
  const server = createServer(async (incoming, outgoing) => {
    const request = new Request(new URL(incoming.url, `http://${incoming.headers.host}`), {
      method: incoming.method,
      headers: incoming.headers,
      ...(incoming.method === 'GET' || incoming.method === 'HEAD'
        ? {}
        : { body: Readable.toWeb(incoming), duplex: 'half' }),
    });
    let response;
    try {
      response = await handler(request);
    } catch (error) {
      console.error(error);
      response = new Response('Internal Server Error', { status: 500 });
    }
    // Node keeps the header for itself, and with it a connection that HTTP/1.1 keeps alive anyway.
    response.headers.delete('connection');
    outgoing.writeHead(response.status, Object.fromEntries(response.headers));
    // A client that has gone ends the pipeline, and that cancels the body.
    await pipeline(response.body ? Readable.fromWeb(response.body) : [], outgoing).catch(() => undefined);
  });
  server.listen(0, '127.0.0.1', () => console.log(`Listening on http://127.0.0.1:${server.address().port}/`));
}

await import(pathToFileURL(resolve(process.argv[2])).href);
