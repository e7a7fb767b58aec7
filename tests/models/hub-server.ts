/**
 * A model hub on loopback, speaking the hub's HTTP: repository information, metadata by HEAD, files by GET with ranges,
 * large files redirected to a storage host of another origin. Tests say which requests go wrong, and how.
 */
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';

export interface SeenRequest {
  readonly host: 'hub' | 'storage';
  readonly method: string;
  /** Decoded, without the query. */
  readonly path: string;
  readonly authorization: string | undefined;
  readonly range: string | undefined;
}

/** What goes wrong with a request. */
export type Fault =
  | { readonly status: number; readonly headers?: Record<string, string> }
  /** The connection closes before any answer. */
  | { readonly drop: true }
  /** The connection closes after that many bytes of the body, of which more were announced. */
  | { readonly dropAfter: number }
  /** The body is cut, and announced as that short. */
  | { readonly truncateTo: number }
  /** Other bytes of the same length. */
  | { readonly corrupt: true }
  /** More bytes than the metadata said. */
  | { readonly extend: string }
  /** Sends that many bytes, and then nothing, with the connection open. */
  | { readonly stallAfter: number }
  /** Sends the whole file, whatever range was asked for. */
  | { readonly ignoreRange: true };

export interface HubServer {
  readonly url: string;
  readonly storageUrl: string;
  readonly requests: SeenRequest[];
  /** Called for each request; a fault that it returns happens. */
  fault: (request: SeenRequest) => Fault | undefined;
  /** Adds a repository, or a commit on top of one, and returns the commit: `revision`, if that is a hash. */
  publish(repository: string, files: Readonly<Record<string, string | Buffer>>, revision?: string): string;
  /** What requests for bodies of `file` were made. */
  downloads(file: string): SeenRequest[];
}

interface Commit {
  readonly hash: string;
  readonly files: ReadonlyMap<string, Buffer>;
}

export const sha256 = (content: Buffer | string): string => createHash('sha256').update(content).digest('hex');

export const gitBlobHash = (content: Buffer | string): string =>
  createHash('sha1')
    .update(`blob ${Buffer.byteLength(content)}\0`)
    .update(content)
    .digest('hex');

/** What the hub names a file's contents: large files by sha256, others as git does. */
export const etagOf = (file: string, content: Buffer | string): string =>
  isLarge(file) ? sha256(content) : gitBlobHash(content);

const isLarge = (file: string): boolean => /\.onnx(?:_data)?$/.test(file);

/** Starts a hub that stops with the test. */
export async function startHub(): Promise<HubServer> {
  const repositories = new Map<string, Map<string, Commit>>();
  const blobs = new Map<string, Buffer>();
  let commits = 0;

  const hubServer = createServer((request, response) => answer('hub', request, response));
  const storageServer = createServer((request, response) => answer('storage', request, response));
  const [url, storageUrl] = await Promise.all([listen(hubServer), listen(storageServer)]);
  onTestFinished(() => {
    for (const server of [hubServer, storageServer]) {
      server.closeAllConnections();
      server.close();
    }
  });

  const hub: HubServer = {
    url,
    storageUrl,
    requests: [],
    fault: () => undefined,
    publish(repository, files, revision = 'main') {
      const made = createHash('sha1').update(`${repository} ${++commits}`).digest('hex');
      const hash = /^[0-9a-f]{40}$/.test(revision) ? revision : made;
      const contents = new Map(Object.entries(files).map(([name, content]) => [name, Buffer.from(content)]));
      for (const content of contents.values()) blobs.set(sha256(content), content);
      const revisions = repositories.get(repository) ?? new Map<string, Commit>();
      const commit = { hash, files: contents };
      repositories.set(repository, revisions.set(revision, commit).set(hash, commit));
      return hash;
    },
    downloads: (file) => {
      const etags = [...repositories.values()].flatMap((revisions) =>
        [...revisions.values()].flatMap(({ files }) => {
          const content = files.get(file);
          return content ? [sha256(content)] : [];
        }),
      );
      return hub.requests.filter(
        ({ host, method, path }) =>
          method === 'GET' &&
          (host === 'hub' ? !isLarge(file) && path.endsWith(`/${file}`) : etags.includes(path.slice('/blobs/'.length))),
      );
    },
  };

  function answer(host: 'hub' | 'storage', request: IncomingMessage, response: ServerResponse): void {
    const seen: SeenRequest = {
      host,
      method: request.method ?? '',
      path: decodeURIComponent(new URL(request.url ?? '', url).pathname),
      authorization: request.headers.authorization,
      range: request.headers.range,
    };
    hub.requests.push(seen);
    const fault = hub.fault(seen);
    if (fault && 'drop' in fault) return void request.socket.destroy();
    if (fault && 'status' in fault) return void response.writeHead(fault.status, fault.headers).end();
    if (host === 'hub') {
      answerHub(seen, request, response, fault);
      return;
    }
    const content = blobs.get(seen.path.slice('/blobs/'.length));
    if (!content) return void response.writeHead(404).end();
    sendBody(seen, response, content, { etag: '"storage-has-its-own"' }, fault);
  }

  function answerHub(
    seen: SeenRequest,
    request: IncomingMessage,
    response: ServerResponse,
    fault: Fault | undefined,
  ): void {
    const raw = new URL(request.url ?? '', url).pathname;
    const info = /^\/api\/models\/([^/]+\/[^/]+)\/revision\/([^/]+)$/.exec(raw);
    const resolve = /^\/([^/]+\/[^/]+)\/resolve\/([^/]+)\/(.+)$/.exec(raw);
    const match = info ?? resolve;
    if (!match) return void response.writeHead(raw === '/' ? 200 : 404).end();
    const revisions = repositories.get(match[1] ?? '');
    if (!revisions) return void response.writeHead(404, { 'x-error-code': 'RepoNotFound' }).end();
    const commit = revisions.get(decodeURIComponent(match[2] ?? ''));
    if (!commit) return void response.writeHead(404, { 'x-error-code': 'RevisionNotFound' }).end();
    if (info) {
      const siblings = [...commit.files.keys()].map((rfilename) => ({ rfilename }));
      const body = Buffer.from(JSON.stringify({ id: match[1], sha: commit.hash, siblings }));
      sendBody(seen, response, body, { 'content-type': 'application/json' }, fault);
      return;
    }
    const file = decodeURIComponent(match[3] ?? '');
    const content = commit.files.get(file);
    if (!content) return void response.writeHead(404, { 'x-error-code': 'EntryNotFound' }).end();
    const headers = { 'x-repo-commit': commit.hash };
    if (!isLarge(file)) {
      sendBody(seen, response, content, { ...headers, etag: `"${etagOf(file, content)}"` }, fault);
      return;
    }
    response.writeHead(302, {
      ...headers,
      'x-linked-etag': `"${sha256(content)}"`,
      'x-linked-size': String(content.length),
      location: `${storageUrl}/blobs/${sha256(content)}?signature=grants-access`,
    });
    response.end();
  }

  return hub;
}

/** Sends `content`, or the range asked for, with the fault that was ordered. */
function sendBody(
  { method, range }: SeenRequest,
  response: ServerResponse,
  content: Buffer,
  headers: Record<string, string>,
  fault: Fault | undefined,
): void {
  const start = Number(/^bytes=(\d+)-$/.exec(range ?? '')?.[1] ?? 0);
  const ranged = range !== undefined && !(fault && 'ignoreRange' in fault);
  if (ranged && start >= content.length) return void response.writeHead(416).end();
  let body = ranged ? content.subarray(start) : content;
  if (fault && 'corrupt' in fault) body = Buffer.alloc(body.length, '#');
  if (fault && 'truncateTo' in fault) body = body.subarray(0, fault.truncateTo);
  if (fault && 'extend' in fault) body = Buffer.concat([body, Buffer.from(fault.extend)]);
  response.writeHead(ranged ? 206 : 200, {
    ...headers,
    'content-length': body.length,
    ...(ranged ? { 'content-range': `bytes ${start}-${content.length - 1}/${content.length}` } : {}),
  });
  if (method === 'HEAD') return void response.end();
  const sent = fault && 'dropAfter' in fault ? fault.dropAfter : fault && 'stallAfter' in fault ? fault.stallAfter : -1;
  if (sent === -1) return void response.end(body);
  response.write(body.subarray(0, sent), () => {
    if (fault && 'dropAfter' in fault) response.destroy();
  });
}

function listen(server: Server): Promise<string> {
  return new Promise((resolve, reject) => {
    server.once('error', reject).listen(0, '127.0.0.1', () => {
      resolve(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    });
  });
}
