/** Bodies that arrive broken, in parts, twice or not at all; and what is then on the disk. */
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type DownloadProgress, resolveModel } from '../../lib/models/resolve.js';
import { acquireLock } from '../../lib/models/lock.js';
import { isolateHubEnvironment } from './hub-environment.js';
import { type Fault, type HubServer, type SeenRequest, sha256, startHub } from './hub-server.js';
import { bertConfig, modelDirectory, temporaryDirectory } from './model-directory.js';
import { until } from '../until.js';

// Larger than one socket buffer, and different at every offset.
const weights = Buffer.from(Array.from({ length: 400_000 }, (_, index) => (index * 7919) % 251));
const files = {
  'config.json': JSON.stringify(bertConfig),
  'tokenizer.json': '{"version":"1.0"}',
  'onnx/model.onnx': weights,
};

interface Setup {
  hub: HubServer;
  cacheDir: string;
  blob: string;
  partial: string;
}

async function setup(variables: Record<string, string> = {}): Promise<Setup> {
  const hub = await startHub();
  isolateHubEnvironment({ HF_ENDPOINT: hub.url, ...variables });
  hub.publish('owner/model', files);
  const cacheDir = temporaryDirectory();
  const blob = join(cacheDir, 'models--owner--model', 'blobs', sha256(weights));
  return { hub, cacheDir, blob, partial: `${blob}.gteway.incomplete` };
}

function writePartial(partial: string, content: Buffer): void {
  mkdirSync(dirname(partial), { recursive: true });
  writeFileSync(partial, content);
}

/** The given faults meet the downloads of the weights, one each, in order; later ones succeed. */
function weightsFaults(...faults: (Fault | undefined)[]): (request: SeenRequest) => Fault | undefined {
  return ({ host }) => (host === 'storage' ? faults.shift() : undefined);
}

const ranges = (hub: HubServer) => hub.downloads('onnx/model.onnx').map(({ range }) => range);

describe('a download', () => {
  test('leaves the standard cache layout and the exact bytes', async () => {
    const { hub, cacheDir, blob, partial } = await setup();
    const commit = hub.publish('owner/model', files);
    const model = await resolveModel('owner/model', { cacheDir });
    expect(model).toMatchObject({ source: 'hub', repository: 'owner/model', revision: commit });
    const snapshot = join(cacheDir, 'models--owner--model', 'snapshots', commit);
    expect(model.weightsPath).toBe(join(snapshot, 'onnx', 'model.onnx'));
    expect(readFileSync(model.weightsPath).equals(weights)).toBe(true);
    expect(readFileSync(join(cacheDir, 'models--owner--model', 'refs', 'main'), 'utf8')).toBe(commit);
    expect(existsSync(blob)).toBe(true);
    expect(existsSync(partial)).toBe(false);
    expect(readdirSync(join(cacheDir, '.locks', 'models--owner--model'))).toEqual([]);
  });

  test('reports its progress in bytes, up to the last one', async () => {
    const { cacheDir } = await setup();
    const seen: DownloadProgress[] = [];
    await resolveModel('owner/model', { cacheDir, onProgress: (progress) => seen.push(progress) });
    const total = Object.values(files).reduce((sum, content) => sum + content.length, 0);
    expect(seen.at(-1)).toEqual({
      model: 'owner/model',
      repository: 'owner/model',
      file: 'onnx/model.onnx',
      fileIndex: 2,
      fileCount: 3,
      loadedBytes: weights.length,
      totalBytes: weights.length,
      overallLoadedBytes: total,
      overallTotalBytes: total,
    });
    const loaded = seen.map(({ overallLoadedBytes }) => overallLoadedBytes);
    expect(loaded).toEqual(loaded.toSorted((a, b) => a - b));
    expect(new Set(seen.map(({ file }) => file))).toEqual(new Set(Object.keys(files)));
  });

  test('of what the cache has reports nothing and asks nothing', async () => {
    const { hub, cacheDir } = await setup();
    await resolveModel('owner/model', { cacheDir });
    hub.requests.length = 0;
    const model = await resolveModel('owner/model', { cacheDir, onProgress: () => expect.unreachable() });
    expect(model.source).toBe('cache');
    expect(hub.requests).toEqual([]);
  });

  test('of a file that is empty works', async () => {
    const { hub, cacheDir } = await setup();
    hub.publish('owner/model', { ...files, 'tokenizer_config.json': '' });
    const { tokenizerConfigPath } = await resolveModel('owner/model', { cacheDir });
    expect(readFileSync(tokenizerConfigPath ?? '', 'utf8')).toBe('');
  });

  test('a progress callback that throws ends it with that error', async () => {
    const { cacheDir } = await setup();
    const onProgress = () => {
      throw new Error('the bar broke');
    };
    await expect(resolveModel('owner/model', { cacheDir, onProgress })).rejects.toThrow('the bar broke');
    await expect(resolveModel('owner/model', { cacheDir })).resolves.toMatchObject({ source: 'hub' });
  });
});

describe('an interrupted download', () => {
  test('goes on where the connection dropped', async () => {
    const { hub, cacheDir } = await setup();
    hub.fault = weightsFaults({ dropAfter: 100_000 }, { dropAfter: 50_000 });
    const model = await resolveModel('owner/model', { cacheDir });
    expect(readFileSync(model.weightsPath).equals(weights)).toBe(true);
    // A reset can take bytes with it that had arrived but were not read yet, at worst all of them; so where it goes on
    // is for the tests below, whose parts are exact.
    expect(ranges(hub)).toHaveLength(3);
  });

  test('goes on in the next process, with the bytes it had', async () => {
    const { hub, cacheDir, partial } = await setup();
    writePartial(partial, weights.subarray(0, 123_456));
    const seen: number[] = [];
    const onProgress = ({ file, loadedBytes }: DownloadProgress) => {
      if (file === 'onnx/model.onnx') seen.push(loadedBytes);
    };
    const model = await resolveModel('owner/model', { cacheDir, onProgress });
    expect(readFileSync(model.weightsPath).equals(weights)).toBe(true);
    expect(ranges(hub)).toEqual(['bytes=123456-']);
    expect(seen[0]).toBe(123_456);
  });

  test('that had everything but the rename fetches nothing', async () => {
    const { hub, cacheDir, partial } = await setup();
    writePartial(partial, weights);
    await resolveModel('owner/model', { cacheDir });
    expect(ranges(hub)).toEqual([]);
  });

  test('whose part is corrupt is noticed, and fetched anew', async () => {
    const { hub, cacheDir, partial } = await setup();
    writePartial(partial, Buffer.alloc(5_000, '#'));
    const model = await resolveModel('owner/model', { cacheDir });
    expect(readFileSync(model.weightsPath).equals(weights)).toBe(true);
    expect(ranges(hub)).toEqual(['bytes=5000-', undefined]);
  });

  test('whose part is too long is fetched anew', async () => {
    const { hub, cacheDir, partial } = await setup();
    writePartial(partial, Buffer.concat([weights, weights]));
    const model = await resolveModel('owner/model', { cacheDir });
    expect(readFileSync(model.weightsPath).equals(weights)).toBe(true);
    expect(ranges(hub)).toEqual([undefined]);
  });

  test('works with a server that knows no ranges', async () => {
    const { hub, cacheDir } = await setup();
    hub.fault = weightsFaults({ dropAfter: 100_000 }, { ignoreRange: true });
    const model = await resolveModel('owner/model', { cacheDir });
    expect(readFileSync(model.weightsPath).equals(weights)).toBe(true);
  });

  test('does not touch what huggingface_hub left half-done', async () => {
    const { cacheDir, blob } = await setup();
    writePartial(`${blob}.incomplete`, Buffer.from('not ours'));
    await resolveModel('owner/model', { cacheDir });
    expect(readFileSync(`${blob}.incomplete`, 'utf8')).toBe('not ours');
  });

  test('that stalls is taken up again', async () => {
    const { hub, cacheDir } = await setup({ HF_HUB_DOWNLOAD_TIMEOUT: '0.2' });
    hub.fault = weightsFaults({ stallAfter: 100_000 });
    const model = await resolveModel('owner/model', { cacheDir });
    expect(readFileSync(model.weightsPath).equals(weights)).toBe(true);
    expect(ranges(hub)).toHaveLength(2);
  });

  test('that never gets on is ERR_HUB_UNREACHABLE, and keeps its part', async () => {
    const { hub, cacheDir, partial } = await setup();
    writePartial(partial, weights.subarray(0, 1000));
    hub.fault = ({ host }) => (host === 'storage' ? { drop: true } : undefined);
    await expect(resolveModel('owner/model', { cacheDir })).rejects.toMatchObject({ code: 'ERR_HUB_UNREACHABLE' });
    expect(readFileSync(partial)).toHaveLength(1000);
  });
});

describe('what arrives is not what was promised', () => {
  test.each([
    ['wrong bytes', { corrupt: true }, /has the sha256 [0-9a-f]{64}, expected [0-9a-f]{64}/],
    ['a body that is too long', { extend: 'more' }, /has more than 400000 bytes/],
    ['a body that is cut, every time', { truncateTo: 1000, ignoreRange: true }, /ends after 1000 of 400000 bytes/],
  ] as [string, Fault, RegExp][])('%s: ERR_HUB_INTEGRITY, and no model file', async (_name, fault, pattern) => {
    const { hub, cacheDir, blob, partial } = await setup();
    hub.fault = ({ host }) => (host === 'storage' ? fault : undefined);
    await expect(resolveModel('owner/model', { cacheDir })).rejects.toMatchObject({
      code: 'ERR_HUB_INTEGRITY',
      message: expect.stringMatching(pattern) as string,
      details: { repository: 'owner/model', file: 'onnx/model.onnx' },
    });
    expect(existsSync(blob)).toBe(false);
    expect(existsSync(partial)).toBe(false);
    expect(existsSync(join(cacheDir, 'models--owner--model', 'snapshots'))).toBe(false);
  });

  test('wrong bytes in a small file are found by its git hash', async () => {
    const { hub, cacheDir } = await setup();
    hub.fault = ({ method, path }) =>
      method === 'GET' && path.endsWith('/tokenizer.json') ? { corrupt: true } : undefined;
    await expect(resolveModel('owner/model', { cacheDir })).rejects.toMatchObject({
      code: 'ERR_HUB_INTEGRITY',
      message: expect.stringMatching(/tokenizer\.json.*git blob hash/s) as string,
    });
  });

  test('once, and then right: the model is there', async () => {
    const { hub, cacheDir } = await setup();
    hub.fault = weightsFaults({ corrupt: true });
    const model = await resolveModel('owner/model', { cacheDir });
    expect(readFileSync(model.weightsPath).equals(weights)).toBe(true);
  });

  test('a body that is cut at first goes on from there', async () => {
    const { hub, cacheDir } = await setup();
    hub.fault = weightsFaults({ truncateTo: 1000 });
    const model = await resolveModel('owner/model', { cacheDir });
    expect(readFileSync(model.weightsPath).equals(weights)).toBe(true);
    expect(ranges(hub)).toEqual([undefined, 'bytes=1000-']);
  });

  test('a blob of the wrong size, left by a crash of another program, is replaced', async () => {
    const { cacheDir, blob } = await setup();
    writePartial(blob, weights.subarray(0, 10));
    const model = await resolveModel('owner/model', { cacheDir });
    expect(readFileSync(model.weightsPath).equals(weights)).toBe(true);
  });
});

describe('an abort', () => {
  test('before anything happens opens no connection', async () => {
    const { hub, cacheDir } = await setup();
    const reason = new Error('changed my mind');
    await expect(resolveModel('owner/model', { cacheDir, signal: AbortSignal.abort(reason) })).rejects.toMatchObject({
      code: 'ERR_ABORTED',
      name: 'AbortError',
      cause: reason,
    });
    expect(hub.requests).toEqual([]);
  });

  test('in the middle of a body ends at once, and keeps what has arrived for the next time', async () => {
    const { hub, cacheDir, partial } = await setup();
    const controller = new AbortController();
    hub.fault = weightsFaults({ stallAfter: 100_000 });
    const resolving = resolveModel('owner/model', { cacheDir, signal: controller.signal });
    const failure = expect(resolving).rejects.toMatchObject({ code: 'ERR_ABORTED' });
    await until(() => expect(statSync(partial).size).toBe(100_000));
    controller.abort();
    await failure;
    const kept = readFileSync(partial).length;
    expect(kept).toBe(100_000);
    expect(readdirSync(join(cacheDir, '.locks', 'models--owner--model'))).toEqual([]);

    await resolveModel('owner/model', { cacheDir });
    expect(ranges(hub).at(-1)).toBe(`bytes=${kept}-`);
  });

  test('ends the waiting for another process', async () => {
    const { cacheDir, blob } = await setup();
    const lock = join(cacheDir, '.locks', 'models--owner--model', `${basename(blob)}.gteway.lock`);
    const holder = await acquireLock(lock);
    const signal = AbortSignal.timeout(300);
    await expect(resolveModel('owner/model', { cacheDir, signal })).rejects.toMatchObject({ code: 'ERR_ABORTED' });
    await holder.release();
  });

  test('holds for a directory too', async () => {
    const directory = modelDirectory();
    await expect(resolveModel(directory, { signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: 'ERR_ABORTED',
    });
  });

  test('ends the pause between two tries', async () => {
    const { hub, cacheDir } = await setup();
    hub.fault = () => ({ status: 429, headers: { 'retry-after': '60' } });
    const signal = AbortSignal.timeout(100);
    await expect(resolveModel('owner/model', { cacheDir, signal })).rejects.toMatchObject({ code: 'ERR_ABORTED' });
  });
});

describe('a cache that cannot be written', () => {
  test('because the disk is full: ERR_CACHE_WRITE, saying so', async (context) => {
    if (!existsSync('/dev/full')) return context.skip('this system has no /dev/full');
    const { cacheDir, partial } = await setup();
    // Every write to it fails with ENOSPC.
    mkdirSync(dirname(partial), { recursive: true });
    symlinkSync('/dev/full', partial);
    await expect(resolveModel('owner/model', { cacheDir })).rejects.toMatchObject({
      code: 'ERR_CACHE_WRITE',
      message: expect.stringMatching(/the disk is full.*cacheDir/s) as string,
      details: { errno: 'ENOSPC', path: partial },
    });
  });

  test('because a file is where a directory should be', async () => {
    const { cacheDir } = await setup();
    writeFileSync(join(cacheDir, 'models--owner--model'), '');
    await expect(resolveModel('owner/model', { cacheDir })).rejects.toMatchObject({ code: 'ERR_CACHE_WRITE' });
  });
});
