/** A model hub on this machine with one repository, someone/model: the model of the package. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';

const model = new URL('../../models/gteway-mini/', import.meta.url);
const commit = '0123456789abcdef0123456789abcdef01234567';

/** @returns {Promise<{ url: string, close(): void }>} */
export async function startHub() {
  const files = readdirSync(model, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => `${entry.parentPath}/${entry.name}`.slice(model.pathname.length).replace(/^\//, ''))
    // Whose weights are the safetensors file's: what is called a hub has either.
    .filter((name) => name !== 'model.onnx');
  const server = createServer((request, response) => {
    const path = decodeURIComponent(new URL(request.url ?? '/', 'http://localhost').pathname);
    if (path === '/api/models/someone/model/revision/main') {
      const siblings = files.map((rfilename) => ({ rfilename }));
      response.setHeader('content-type', 'application/json');
      return void response.end(JSON.stringify({ id: 'someone/model', sha: commit, siblings }));
    }
    const file = path.replace(`/someone/model/resolve/${commit}/`, '');
    if (!files.includes(file)) return void response.writeHead(404, { 'x-error-code': 'EntryNotFound' }).end();
    const bytes = readFileSync(new URL(file, model));
    // What a hub calls a small file: git's hash of it.
    const etag = createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex');
    const headers = { 'x-repo-commit': commit, etag: `"${etag}"`, 'content-length': bytes.length };
    response.writeHead(200, headers).end(request.method === 'HEAD' ? undefined : bytes);
  });
  await new Promise((settle) => server.listen(0, '127.0.0.1', () => settle(undefined)));
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  return { url: `http://127.0.0.1:${port}`, close: () => void server.closeAllConnections() || void server.close() };
}
