/** What comes of the ways in which a hub can answer. Faults of the body are in download.test.ts. */
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { probeHub } from '../../lib/models/hub.js';
import { resolveModel, resolveTokenizer } from '../../lib/models/resolve.js';
import { isolateHubEnvironment } from './hub-environment.js';
import { type Fault, type HubServer, startHub } from './hub-server.js';
import { modelFiles, temporaryDirectory } from './model-directory.js';

async function hubWithModel(variables: Record<string, string> = {}): Promise<HubServer> {
  const hub = await startHub();
  isolateHubEnvironment({ HF_ENDPOINT: hub.url, ...variables });
  hub.publish('owner/model', modelFiles);
  return hub;
}

/** An address that refuses connections. */
async function deadEndpoint(): Promise<string> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return `http://127.0.0.1:${port}`;
}

const message = (pattern: RegExp): unknown => expect.stringMatching(pattern);

describe('errors of the hub', () => {
  const answers: [name: string, fault: Fault, code: string, pattern: RegExp][] = [
    ['401', { status: 401 }, 'ERR_HUB_ACCESS', /no such repository, or it is private.*set HF_TOKEN/s],
    [
      '403 gated',
      { status: 403, headers: { 'x-error-code': 'GatedRepo' } },
      'ERR_HUB_ACCESS',
      /gated: accept its terms/,
    ],
    ['403', { status: 403 }, 'ERR_HUB_ACCESS', /may not read it/],
    ['404', { status: 404, headers: { 'x-error-code': 'RepoNotFound' } }, 'ERR_MODEL_NOT_FOUND', /no repository/],
    ['418', { status: 418 }, 'ERR_HUB_STATUS', /answers 418/],
    ['302 to nowhere', { status: 302, headers: { location: 'ftp://x/' } }, 'ERR_HUB_STATUS', /refused/],
    ['302 in circles', { status: 302, headers: { location: '/' } }, 'ERR_HUB_STATUS', /in circles/],
  ];
  test.each(answers)('%s', async (_name, fault, code, pattern) => {
    const hub = await hubWithModel();
    hub.fault = () => fault;
    await expect(resolveModel('owner/model')).rejects.toMatchObject({ code, message: message(pattern) });
  });

  test('a token that is not accepted is said to be the trouble', async () => {
    const hub = await hubWithModel({ HF_TOKEN: 'hf_secret' });
    hub.fault = () => ({ status: 401 });
    const error: unknown = await resolveModel('owner/model').catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'ERR_HUB_ACCESS', message: message(/does not accept the access token/) });
    expect(JSON.stringify(error) + String(error)).not.toContain('hf_secret');
  });

  test('unknown repositories, revisions and files are three different messages', async () => {
    const hub = await hubWithModel();
    await expect(resolveModel('owner/other')).rejects.toMatchObject({
      code: 'ERR_MODEL_NOT_FOUND',
      message: message(/no repository 'owner\/other'/),
    });
    await expect(resolveModel('owner/model@v9')).rejects.toMatchObject({
      code: 'ERR_MODEL_NOT_FOUND',
      message: message(/no revision 'v9'/),
    });
    // A list that names a file which then is not there.
    hub.fault = ({ path }) =>
      path.endsWith('/model.onnx') ? { status: 404, headers: { 'x-error-code': 'EntryNotFound' } } : undefined;
    await expect(resolveModel('owner/model')).rejects.toMatchObject({
      code: 'ERR_MODEL_NOT_FOUND',
      message: message(/no file 'onnx\/model\.onnx'/),
    });
  });

  test('a repository without the ONNX file says which ones it has', async () => {
    const hub = await hubWithModel();
    hub.publish('owner/torch', { 'config.json': '{}', 'tokenizer.json': '{}', 'pytorch_model.bin': '' });
    await expect(resolveModel('owner/model', { modelFile: 'onnx/model_q4.onnx' })).rejects.toMatchObject({
      code: 'ERR_MODEL_NOT_FOUND',
      message: message(/no onnx\/model_q4\.onnx\. It has: onnx\/model\.onnx, onnx\/model_fp16\.onnx/),
    });
    await expect(resolveModel('owner/torch')).rejects.toThrow(/no \.onnx file at all/);
  });

  test('an answer that no hub gives is recognised', async () => {
    const server = createServer((_request, response) => response.end('<html>Sign in to the Wi-Fi</html>'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void server.close());
    isolateHubEnvironment({ HF_ENDPOINT: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
    await expect(resolveModel('owner/model')).rejects.toMatchObject({
      code: 'ERR_HUB_STATUS',
      message: message(/not a model hub's; check HF_ENDPOINT/),
    });
  });

  test('a mirror that states no content hash is not trusted', async () => {
    const hub = await hubWithModel();
    hub.fault = ({ method }) => (method === 'HEAD' ? { status: 200, headers: { etag: '"abc"' } } : undefined);
    await expect(resolveModel('owner/model')).rejects.toMatchObject({ code: 'ERR_HUB_INTEGRITY' });
  });
});

test.each([{ status: 500 }, { status: 403 }, { drop: true }] as Fault[])(
  'the signed address of a storage host stays out of the error of %j',
  async (fault) => {
    const hub = await hubWithModel();
    hub.fault = ({ host }) => (host === 'storage' ? fault : undefined);
    const error: unknown = await resolveModel('owner/model').catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: message(/^ERR_HUB_(?:STATUS|UNREACHABLE)$/) });
    expect(JSON.stringify(error) + String(error)).toContain(hub.storageUrl);
    expect(JSON.stringify(error) + String(error)).not.toContain('grants-access');
  },
);

describe('trouble that passes', () => {
  /** The first `count` requests meet the fault. */
  const firstOnly = (count: number, fault: Fault) => {
    let seen = 0;
    return () => (seen++ < count ? fault : undefined);
  };

  test.each([
    ['503', { status: 503 }],
    ['500', { status: 500 }],
    ['429 with Retry-After', { status: 429, headers: { 'retry-after': '0' } }],
    ['a dropped connection', { drop: true }],
  ] as [string, Fault][])('%s, then an answer', async (_name, fault) => {
    const hub = await hubWithModel();
    hub.fault = firstOnly(2, fault);
    expect(await resolveModel('owner/model')).toMatchObject({ source: 'hub' });
  });

  test('5xx for good is ERR_HUB_STATUS, after some tries', async () => {
    const hub = await hubWithModel();
    hub.fault = () => ({ status: 503 });
    await expect(resolveModel('owner/model')).rejects.toMatchObject({
      code: 'ERR_HUB_STATUS',
      details: { status: 503 },
    });
    expect(hub.requests).toHaveLength(4);
  });

  test('Retry-After is waited for', async () => {
    const hub = await hubWithModel();
    hub.fault = firstOnly(1, { status: 429, headers: { 'retry-after': '1' } });
    const before = performance.now();
    await resolveModel('owner/model');
    // A timer may fire a little early, never by this much.
    expect(performance.now() - before).toBeGreaterThan(900);
  });

  test('a Retry-After longer than anyone waits is an error at once', async () => {
    const hub = await hubWithModel();
    hub.fault = () => ({ status: 429, headers: { 'retry-after': '3600' } });
    await expect(resolveModel('owner/model')).rejects.toMatchObject({
      code: 'ERR_HUB_STATUS',
      message: message(/429 and asks to wait 3600 s.*HF_TOKEN/s),
      details: { retryAfterMs: 3_600_000 },
    });
    expect(hub.requests).toHaveLength(1);
  });

  test('a silent hub is given up', async () => {
    const hub = await hubWithModel({ HF_HUB_DOWNLOAD_TIMEOUT: '0.2' });
    hub.fault = () => ({ stallAfter: 0 });
    await expect(resolveModel('owner/model')).rejects.toMatchObject({
      code: 'ERR_HUB_UNREACHABLE',
      message: message(/does not answer, or stopped in the middle/),
    });
  });
});

describe('a hub that cannot be reached', () => {
  test.each([
    ['where nothing listens', deadEndpoint],
    ['whose name does not exist', () => Promise.resolve('http://no-such-host.invalid')],
  ])('%s', async (_name, endpoint) => {
    isolateHubEnvironment({ HF_ENDPOINT: await endpoint() });
    await expect(resolveModel('gte-small')).rejects.toMatchObject({
      code: 'ERR_HUB_UNREACHABLE',
      message: message(/cannot be reached: .*HF_ENDPOINT/s),
    });
  });

  test.each(['hub.example', 'ftp://hub.example', 'https://user:hunter2@hub.example'])(
    'HF_ENDPOINT=%s is refused without repeating a password',
    async (endpoint) => {
      isolateHubEnvironment({ HF_ENDPOINT: endpoint });
      const error: unknown = await resolveModel('gte-small').catch((reason: unknown) => reason);
      expect(error).toMatchObject({ code: 'ERR_HUB_UNREACHABLE', message: message(/^HF_ENDPOINT/) });
      expect(String(error)).not.toContain('hunter2');
    },
  );
});

describe('the access token', () => {
  test('goes to the hub, and not to the storage host it redirects to', async () => {
    const hub = await hubWithModel({ HF_TOKEN: 'hf_first', HUGGING_FACE_HUB_TOKEN: 'hf_second' });
    await resolveModel('owner/model');
    const sent = (host: string) => new Set(hub.requests.filter((r) => r.host === host).map((r) => r.authorization));
    expect(sent('hub')).toEqual(new Set(['Bearer hf_first']));
    expect(sent('storage')).toEqual(new Set([undefined]));
    expect(hub.requests.some(({ host }) => host === 'storage')).toBe(true);
  });

  test('comes from HUGGING_FACE_HUB_TOKEN, HF_TOKEN_PATH or the token file, in this order', async () => {
    const hub = await startHub();
    hub.publish('owner/model', modelFiles);
    const home = isolateHubEnvironment({ HF_ENDPOINT: hub.url });
    const lastToken = async () => {
      await resolveTokenizer('owner/model', { refresh: true });
      return hub.requests.at(-1)?.authorization;
    };
    expect(await lastToken()).toBeUndefined();
    writeFileSync(join(home, 'token'), 'hf_file\n');
    expect(await lastToken()).toBe('Bearer hf_file');
    const path = join(temporaryDirectory(), 'secret');
    writeFileSync(path, 'hf_path\n');
    process.env.HF_TOKEN_PATH = path;
    expect(await lastToken()).toBe('Bearer hf_path');
    process.env.HUGGING_FACE_HUB_TOKEN = 'hf_variable';
    expect(await lastToken()).toBe('Bearer hf_variable');
  });

  test('that cannot be one is refused before it is sent', async () => {
    const hub = await hubWithModel({ HF_TOKEN: 'hf_a b\r\nx: y' });
    await expect(resolveModel('owner/model')).rejects.toMatchObject({ code: 'ERR_HUB_ACCESS' });
    expect(hub.requests).toHaveLength(0);
  });
});

test('an endpoint below a path, and redirects inside the hub, work', async () => {
  const hub = await hubWithModel();
  process.env.HF_ENDPOINT = `${hub.url}/mirror/`;
  hub.fault = ({ path }) =>
    path.startsWith('/mirror/') ? { status: 307, headers: { location: path.slice('/mirror'.length) } } : undefined;
  expect(await resolveModel('owner/model')).toMatchObject({ source: 'hub' });
});

test('a proxy named by the environment is used', async () => {
  const hub = await startHub();
  const tunnels: (string | undefined)[] = [];
  const proxy = createServer().on('connect', (request, client) => {
    tunnels.push(request.url);
    const upstream = connect(Number(new URL(hub.url).port), '127.0.0.1', () => {
      client.write('HTTP/1.1 200 Connection established\r\n\r\n');
      upstream.pipe(client).pipe(upstream);
    });
    for (const socket of [upstream, client]) socket.on('error', () => undefined);
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    proxy.closeAllConnections();
    proxy.close();
  });
  const proxyUrl = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  isolateHubEnvironment({ HF_ENDPOINT: 'http://hub.invalid', HTTP_PROXY: proxyUrl });
  hub.publish('owner/model', { 'config.json': modelFiles['config.json'] ?? '', 'tokenizer.json': '{}' });
  expect(await resolveTokenizer('owner/model')).toMatchObject({ source: 'hub' });
  expect(new Set(tunnels)).toEqual(new Set(['hub.invalid:80']));
});

test('branches with a slash are asked for whole', async () => {
  const hub = await hubWithModel();
  hub.publish('owner/model', modelFiles, 'refs/pr/1');
  const { revision } = await resolveModel('owner/model@refs/pr/1');
  expect(await resolveModel('owner/model', { revision: 'refs/pr/1', offline: true })).toMatchObject({ revision });
});

describe('probeHub', () => {
  test('says that a hub answers', async () => {
    const hub = await hubWithModel();
    expect(await probeHub()).toEqual({ endpoint: hub.url, reachable: true });
  });

  test('says why one does not', async () => {
    isolateHubEnvironment({ HF_ENDPOINT: await deadEndpoint() });
    expect(await probeHub()).toMatchObject({ reachable: false, reason: message(/ECONNREFUSED/) });

    const hub = await hubWithModel();
    hub.fault = () => ({ status: 503 });
    expect(await probeHub()).toMatchObject({ reachable: false, reason: 'it answers with status 503' });

    isolateHubEnvironment({ HF_ENDPOINT: hub.url, HF_HUB_OFFLINE: '1' });
    expect(await probeHub()).toMatchObject({ reachable: false, reason: 'HF_HUB_OFFLINE is set' });

    isolateHubEnvironment({ HF_ENDPOINT: 'nonsense' });
    expect(await probeHub()).toMatchObject({ endpoint: 'nonsense', reachable: false, reason: message(/HF_ENDPOINT/) });
  });

  test('does not wait longer than asked', async () => {
    const silent = createServer(() => undefined);
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => {
      silent.closeAllConnections();
      silent.close();
    });
    isolateHubEnvironment({ HF_ENDPOINT: `http://127.0.0.1:${(silent.address() as AddressInfo).port}` });
    expect(await probeHub(100)).toMatchObject({ reachable: false, reason: 'no answer within 100 ms' });
  });
});
