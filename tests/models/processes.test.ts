/** Several processes after one model, processes that die in the middle, and processes that may not write. */
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { useChildProcesses } from './child-process.js';
import { isolateHubEnvironment } from './hub-environment.js';
import { sha256, startHub } from './hub-server.js';
import { bertConfig, temporaryDirectory } from './model-directory.js';
import { until } from '../until.js';

const weights = Buffer.alloc(3_000_000, 'weights');
const files = {
  'config.json': JSON.stringify(bertConfig),
  'tokenizer.json': '{}',
  'onnx/model.onnx': weights,
};
/** A user that owns nothing. */
const nobody = 65534;
const { run, cannotRunAs } = useChildProcesses();

async function setup() {
  const hub = await startHub();
  isolateHubEnvironment({ HF_ENDPOINT: hub.url });
  hub.publish('owner/model', files);
  const cacheDir = temporaryDirectory();
  const blob = join(cacheDir, 'models--owner--model', 'blobs', sha256(weights));
  const lock = join(cacheDir, '.locks', 'models--owner--model', `${sha256(weights)}.gteway.lock`);
  return { hub, cacheDir, blob, partial: `${blob}.gteway.incomplete`, lock };
}

describe('two processes', () => {
  test('after the same model fetch each file once, and both get it', async () => {
    const { hub, cacheDir, lock } = await setup();
    // Whoever comes first is held up, so that the other meets its lock.
    let held = false;
    hub.fault = ({ host }) => {
      if (host !== 'storage' || held) return undefined;
      held = true;
      return { dropAfter: 1_000_000 };
    };
    const [first, second] = await Promise.all([
      run('owner/model', { cacheDir }).outcome,
      run('owner/model', { cacheDir }).outcome,
    ]);
    for (const { result } of [first, second]) {
      expect(result).toHaveProperty('weightsPath');
      expect(readFileSync(result?.weightsPath as string).equals(weights)).toBe(true);
    }
    // One download and its resumption after the drop; not one per process.
    expect(hub.downloads('onnx/model.onnx')).toHaveLength(2);
    expect(readdirSync(dirname(lock))).toEqual([]);
  });
});

describe('a process that is killed', () => {
  test('leaves a part that the next one resumes without waiting for the dead one’s lock', async () => {
    const { hub, cacheDir, partial, lock } = await setup();
    hub.fault = ({ host }) => (host === 'storage' ? { stallAfter: 1_000_000 } : undefined);
    const doomed = run('owner/model', { cacheDir });
    await until(() => expect(statSync(partial).size).toBe(1_000_000));
    doomed.kill();
    expect((await doomed.outcome).signal).toBe('SIGKILL');
    expect(JSON.parse(readFileSync(lock, 'utf8'))).toMatchObject({ pid: doomed.pid, host: hostname() });

    hub.fault = () => undefined;
    const { result } = await run('owner/model', { cacheDir }).outcome;
    expect(readFileSync(result?.weightsPath as string).equals(weights)).toBe(true);
    expect(hub.downloads('onnx/model.onnx').at(-1)?.range).toBe('bytes=1000000-');
    expect(existsSync(lock)).toBe(false);
  });
});

describe('a process that may not write', () => {
  test('because of the directory’s permissions: ERR_CACHE_WRITE, naming the directory', async (context) => {
    const obstacle = cannotRunAs(nobody);
    if (obstacle !== undefined) return context.skip(obstacle);
    const { cacheDir } = await setup();
    chmodSync(cacheDir, 0o755);
    const { result } = await run('owner/model', { cacheDir }, { uid: nobody, gid: nobody }).outcome;
    expect(result).toMatchObject({
      code: 'ERR_CACHE_WRITE',
      message: expect.stringMatching(/permission denied.*cacheDir option or HF_HUB_CACHE/s) as string,
    });
    expect(JSON.stringify(result)).toContain(cacheDir);
  });

  test('uses a complete cache all the same', async (context) => {
    const obstacle = cannotRunAs(nobody);
    if (obstacle !== undefined) return context.skip(obstacle);
    const { hub, cacheDir } = await setup();
    await run('owner/model', { cacheDir }).outcome;
    hub.requests.length = 0;
    chmodSync(cacheDir, 0o755);
    const { result } = await run('owner/model', { cacheDir }, { uid: nobody, gid: nobody }).outcome;
    expect(result).toMatchObject({ source: 'cache' });
    expect(hub.requests).toEqual([]);
  });

  test('uses a cache that another program made without links, although it cannot mark what the hub lacks', async (context) => {
    const obstacle = cannotRunAs(nobody);
    if (obstacle !== undefined) return context.skip(obstacle);
    const { hub, cacheDir } = await setup();
    const commit = hub.publish('owner/model', files);
    for (const [file, content] of Object.entries(files)) {
      const root = join(cacheDir, 'models--owner--model');
      const path = join(root, 'snapshots', commit, file);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, content);
      mkdirSync(join(root, 'refs'), { recursive: true });
      writeFileSync(join(root, 'refs', 'main'), commit);
    }
    chmodSync(cacheDir, 0o755);
    const { result } = await run('owner/model', { cacheDir }, { uid: nobody, gid: nobody }).outcome;
    expect(result).toMatchObject({ source: 'cache', revision: commit });
  });

  test('more than its file size limit: ERR_CACHE_WRITE, keeping what fitted', async (context) => {
    if (process.platform === 'win32') return context.skip('Windows has no file size limit per process');
    const { cacheDir, partial } = await setup();
    // In blocks of 512 bytes. The signal that comes with the failing write would otherwise end the process.
    const { result } = await run('owner/model', { cacheDir }, {}, "trap '' XFSZ; ulimit -f 2000").outcome;
    expect(result).toMatchObject({
      code: 'ERR_CACHE_WRITE',
      message: expect.stringContaining('size limit') as string,
      details: { errno: 'EFBIG' },
    });
    expect(statSync(partial).size).toBe(2000 * 512);

    const next = await run('owner/model', { cacheDir }).outcome;
    expect(readFileSync(next.result?.weightsPath as string).equals(weights)).toBe(true);
  });
});
