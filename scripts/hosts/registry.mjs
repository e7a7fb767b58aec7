/**
 * An npm registry on this machine that has gteway, as if the tarball had been published a month ago, and hands everything else on to
 * the real one. So every package manager is asked for `gteway` by its name, as a user asks.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { Readable } from 'node:stream';

/** Managers refuse what was published within the last days. */
const age = 30 * 24 * 3600 * 1000;

/**
 * @typedef {{ url: string, version: string, close(): void }} Registry
 * @param {string} tarball
 * @returns {Promise<Registry>}
 */
export async function startRegistry(tarball) {
  const bytes = readFileSync(tarball);
  const manifest = JSON.parse(
    execFileSync('tar', ['xzOf', tarball, 'package/package.json'], { encoding: 'utf8', maxBuffer: 2 ** 24 }),
  );
  const upstream = execFileSync('npm', ['config', 'get', 'registry'], {
    encoding: 'utf8',
    cwd: '/',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const { version } = manifest;
  const published = new Date(Date.now() - age).toISOString();
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost');
    if (pathname === '/gteway/-/gteway.tgz') return void response.end(bytes);
    if (pathname === '/gteway') {
      const dist = {
        tarball: `${url}/gteway/-/gteway.tgz`,
        shasum: createHash('sha1').update(bytes).digest('hex'),
        integrity: `sha512-${createHash('sha512').update(bytes).digest('base64')}`,
      };
      response.setHeader('content-type', 'application/json');
      const one = { ...manifest, _id: `gteway@${version}`, hasInstallScript: true, dist };
      const time = { created: published, modified: published, [version]: published };
      return void response.end(
        JSON.stringify({ name: 'gteway', 'dist-tags': { latest: version }, versions: { [version]: one }, time }),
      );
    }
    handOn(new URL(request.url ?? '/', upstream.trim()), request, response).catch((error) => {
      response.writeHead(502).end(String(error));
    });
  });
  await new Promise((settle) => server.listen(0, '127.0.0.1', () => settle(undefined)));
  const url = `http://127.0.0.1:${/** @type {import('node:net').AddressInfo} */ (server.address()).port}`;
  return { url, version, close: () => void server.closeAllConnections() || void server.close() };
}

/**
 * @param {URL} address
 * @param {import('node:http').IncomingMessage} request
 * @param {import('node:http').ServerResponse} response
 */
async function handOn(address, request, response) {
  /** @type {Record<string, string>} */
  const headers = {};
  if (request.headers.accept) headers.accept = request.headers.accept;
  if (request.headers['user-agent']) headers['user-agent'] = request.headers['user-agent'];
  const body = request.method === 'POST' ? await new Response(Readable.toWeb(request)).arrayBuffer() : undefined;
  if (body) headers['content-type'] = request.headers['content-type'] ?? 'application/json';
  if (body && request.headers['content-encoding']) headers['content-encoding'] = request.headers['content-encoding'];
  const answer = await fetch(address, { method: request.method ?? 'GET', headers, ...(body && { body }) });
  response.statusCode = answer.status;
  response.setHeader('content-type', answer.headers.get('content-type') ?? 'application/octet-stream');
  if (answer.body === null) return void response.end();
  Readable.fromWeb(/** @type {any} */ (answer.body)).pipe(response);
}
