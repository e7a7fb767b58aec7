/** The cache between programs: what others fetched is used, what gteway writes they can use; with and without a hub. */
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { RepositoryCache } from '../../lib/models/cache.js';
import { defaultCacheDirectory, isOffline } from '../../lib/models/environment.js';
import { resolveModel, resolveTokenizer } from '../../lib/models/resolve.js';
import { isolateHubEnvironment } from './hub-environment.js';
import { etagOf, sha256, startHub } from './hub-server.js';
import { bertConfig, modelFiles, temporaryDirectory } from './model-directory.js';

const commit = 'c0ffee'.padEnd(40, '0');
const minimal = {
  'config.json': JSON.stringify(bertConfig),
  'tokenizer.json': '{"version":"1.0"}',
  'onnx/model.onnx': 'fp32 weights',
};

/** A cache as huggingface_hub leaves it after fetching `files`. */
function foreignCache(
  files: Readonly<Record<string, string>>,
  repository = 'owner/model',
  absent: string[] = [],
): string {
  const cacheDir = temporaryDirectory();
  const root = join(cacheDir, `models--${repository.replace('/', '--')}`);
  const write = (path: string, content: string) => {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
  };
  write(join(root, 'refs', 'main'), commit);
  for (const [file, content] of Object.entries(files)) {
    const blob = join(root, 'blobs', etagOf(file, content));
    const pointer = join(root, 'snapshots', commit, file);
    write(blob, content);
    mkdirSync(dirname(pointer), { recursive: true });
    symlinkSync(relative(dirname(pointer), blob), pointer);
  }
  for (const file of absent) write(join(root, '.no_exist', commit, file), '');
  return cacheDir;
}

const optional = ['tokenizer_config.json', 'modules.json', '1_Pooling/config.json', 'onnx/model.onnx_data'];

describe('a cache that huggingface_hub filled', () => {
  test('is used without asking the hub', async () => {
    const hub = await startHub();
    isolateHubEnvironment({ HF_ENDPOINT: hub.url });
    const cacheDir = foreignCache(minimal, 'owner/model', optional);
    expect(await resolveModel('owner/model', { cacheDir })).toMatchObject({
      source: 'cache',
      repository: 'owner/model',
      revision: commit,
      weightsPath: join(cacheDir, 'models--owner--model', 'snapshots', commit, 'onnx', 'model.onnx'),
    });
    expect(await resolveModel(`owner/model@${commit}`, { cacheDir })).toMatchObject({ source: 'cache' });
    expect(hub.requests).toEqual([]);
  });

  test('of a known model needs nothing beyond its three files', async () => {
    const hub = await startHub();
    isolateHubEnvironment({ HF_ENDPOINT: hub.url });
    const cacheDir = foreignCache(minimal, 'Xenova/bge-small-en-v1.5');
    expect(await resolveModel('bge-small-en-v1.5', { cacheDir })).toMatchObject({
      source: 'cache',
      pooling: 'cls',
      poolingFrom: 'registry',
    });
    expect(hub.requests).toEqual([]);
  });

  test('is completed with what else the model has, and asked no more', async () => {
    const hub = await startHub();
    isolateHubEnvironment({ HF_ENDPOINT: hub.url });
    const pooling = { '1_Pooling/config.json': '{"pooling_mode_cls_token":true}' };
    hub.publish('owner/model', { ...minimal, ...pooling }, commit);
    hub.publish('owner/model', { ...minimal, ...pooling, 'onnx/model.onnx': 'newer' });
    const cacheDir = foreignCache(minimal);
    expect(await resolveModel('owner/model', { cacheDir })).toMatchObject({ source: 'hub', pooling: 'cls' });
    // The other blobs were there, and the branch has not moved under the caller.
    expect(hub.requests.filter(({ method, path }) => method === 'GET' && path.includes('/resolve/'))).toHaveLength(1);
    hub.requests.length = 0;
    expect(await resolveModel('owner/model', { cacheDir })).toMatchObject({ source: 'cache', revision: commit });
    expect(hub.requests).toEqual([]);
  });

  test.each([401, 404, 429, 503])('is used as it is when the hub answers %i about optional files', async (status) => {
    const hub = await startHub();
    isolateHubEnvironment({ HF_ENDPOINT: hub.url });
    hub.fault = () => ({ status });
    const cacheDir = foreignCache(minimal);
    expect(await resolveModel('owner/model', { cacheDir })).toMatchObject({ source: 'cache' });
    expect(hub.requests).toHaveLength(1);
    await expect(resolveModel('owner/model', { cacheDir, refresh: true })).rejects.toMatchObject({
      name: 'GtewayError',
    });
  });

  test('is used as it is when the hub cannot be reached, and at once', async () => {
    isolateHubEnvironment({ HF_ENDPOINT: 'http://no-such-host.invalid' });
    const cacheDir = foreignCache(minimal);
    expect(await resolveModel('owner/model', { cacheDir })).toMatchObject({ source: 'cache', pooling: 'mean' });
  });

  test('lacks a file: it is fetched from the commit that the hub has now', async () => {
    const hub = await startHub();
    isolateHubEnvironment({ HF_ENDPOINT: hub.url });
    const published = hub.publish('owner/model', { ...minimal, 'onnx/model_fp16.onnx': 'half' });
    const cacheDir = foreignCache(minimal, 'owner/model', optional);
    const model = await resolveModel('owner/model', { cacheDir, dtype: 'fp16' });
    expect(model).toMatchObject({ source: 'hub', revision: published });
    expect(readFileSync(model.weightsPath, 'utf8')).toBe('half');
  });

  test('with a link to nothing, or a ref that is no commit, is not taken as complete', async () => {
    isolateHubEnvironment();
    const dangling = foreignCache(minimal, 'owner/model', optional);
    rmSync(join(dangling, 'models--owner--model', 'blobs', sha256('fp32 weights')));
    await expect(resolveModel('owner/model', { cacheDir: dangling, offline: true })).rejects.toMatchObject({
      code: 'ERR_OFFLINE',
      details: { missing: ['onnx/model.onnx'] },
    });
    const misled = foreignCache(minimal, 'owner/model', optional);
    writeFileSync(join(misled, 'models--owner--model', 'refs', 'main'), '../../../../etc');
    await expect(resolveModel('owner/model', { cacheDir: misled, offline: true })).rejects.toMatchObject({
      code: 'ERR_OFFLINE',
    });
  });
});

describe('what gteway writes', () => {
  test('has the links, names and marks that other programs look for', async () => {
    const hub = await startHub();
    isolateHubEnvironment({ HF_ENDPOINT: hub.url });
    const published = hub.publish('owner/model', minimal);
    const cacheDir = temporaryDirectory();
    await resolveModel('owner/model', { cacheDir });
    const root = join(cacheDir, 'models--owner--model');
    for (const [file, content] of Object.entries(minimal)) {
      const pointer = join(root, 'snapshots', published, file);
      expect(lstatSync(pointer).isSymbolicLink()).toBe(true);
      const up = '../'.repeat(file.split('/').length + 1);
      expect(readlinkSync(pointer)).toBe(`${up}blobs/${etagOf(file, content)}`);
      expect(readFileSync(pointer, 'utf8')).toBe(content);
    }
    for (const file of optional) expect(existsSync(join(root, '.no_exist', published, file))).toBe(true);
  });

  test('includes the external data of a large model, and its parts', async () => {
    const hub = await startHub();
    isolateHubEnvironment({ HF_ENDPOINT: hub.url });
    const data = { 'onnx/model.onnx_data': 'tensors', 'onnx/model.onnx_data_1': 'more', 'onnx/model.onnx_dat': 'no' };
    hub.publish('owner/model', { ...minimal, ...data });
    const { directory } = await resolveModel('owner/model', { cacheDir: temporaryDirectory() });
    expect(readFileSync(join(directory, 'onnx', 'model.onnx_data'), 'utf8')).toBe('tensors');
    expect(existsSync(join(directory, 'onnx', 'model.onnx_data_1'))).toBe(true);
    expect(existsSync(join(directory, 'onnx', 'model.onnx_dat'))).toBe(false);
  });

  test('for a tokenizer has no weights', async () => {
    const hub = await startHub();
    isolateHubEnvironment({ HF_ENDPOINT: hub.url });
    hub.publish('owner/model', modelFiles);
    const cacheDir = temporaryDirectory();
    const { tokenizerPath, tokenizerConfigPath } = await resolveTokenizer('owner/model', { cacheDir });
    expect(existsSync(tokenizerPath)).toBe(true);
    expect(existsSync(tokenizerConfigPath ?? '')).toBe(true);
    expect(hub.requests.some(({ path }) => path.includes('.onnx'))).toBe(false);
    // And the model is then not taken as complete.
    await expect(resolveModel('owner/model', { cacheDir, offline: true })).rejects.toMatchObject({
      code: 'ERR_OFFLINE',
      details: { missing: ['onnx/model.onnx'] },
    });
  });

  test('keeps the former commit usable until the new one is whole', async () => {
    const hub = await startHub();
    isolateHubEnvironment({ HF_ENDPOINT: hub.url });
    const cacheDir = temporaryDirectory();
    const before = hub.publish('owner/model', minimal);
    await resolveModel('owner/model', { cacheDir });
    const after = hub.publish('owner/model', { ...minimal, 'onnx/model.onnx': 'better weights' });
    expect(await resolveModel('owner/model', { cacheDir })).toMatchObject({ revision: before });

    hub.fault = ({ host }) => (host === 'storage' ? { status: 403 } : undefined);
    await expect(resolveModel('owner/model', { cacheDir, refresh: true })).rejects.toMatchObject({
      code: 'ERR_HUB_STATUS',
    });
    expect(await resolveModel('owner/model', { cacheDir, offline: true })).toMatchObject({ revision: before });

    hub.fault = () => undefined;
    expect(await resolveModel('owner/model', { cacheDir, refresh: true })).toMatchObject({ revision: after });
    expect(await resolveModel('owner/model', { cacheDir })).toMatchObject({ source: 'cache', revision: after });
  });

  test('never includes a file whose name leads elsewhere', async () => {
    const hub = await startHub();
    isolateHubEnvironment({ HF_ENDPOINT: hub.url });
    const evil = {
      'onnx/model.onnx/../../../../../escaped': 'x',
      '../escaped': 'x',
      '/tmp/escaped': 'x',
      'C:\\x': 'x',
    };
    hub.publish('owner/model', { ...minimal, ...evil });
    const cacheDir = temporaryDirectory();
    await resolveModel('owner/model', { cacheDir });
    expect(hub.requests.filter(({ path }) => path.includes('escaped'))).toEqual([]);
  });
});

describe('RepositoryCache', () => {
  test('refuses every name that could leave its folder', async () => {
    const cache = new RepositoryCache(temporaryDirectory(), 'owner/model');
    expect(() => new RepositoryCache('/cache', '../evil')).toThrow(RangeError);
    expect(() => new RepositoryCache('/cache', 'a/..')).toThrow(RangeError);
    expect(() => cache.blobPath('../../x')).toThrow(RangeError);
    expect(() => cache.lockPath('../../x')).toThrow(RangeError);
    expect(() => cache.snapshotDirectory('..')).toThrow(RangeError);
    expect(() => cache.isKnownAbsent(commit, '../x')).toThrow(RangeError);
    await expect(cache.rememberCommit('../../x', commit)).rejects.toThrow(RangeError);
    await expect(cache.linkIntoSnapshot(commit, '../../x', 'a'.repeat(40))).rejects.toThrow(RangeError);
    expect(await cache.commitOf('../../x')).toBeUndefined();
  });
});

describe('without a network', () => {
  test.each([
    ['the offline option', { offline: true }, {}, /the offline option is set/],
    ['HF_HUB_OFFLINE', {}, { HF_HUB_OFFLINE: '1' }, /HF_HUB_OFFLINE is set/],
  ])('%s and an empty cache: ERR_OFFLINE, and no connection', async (_name, options, variables, pattern) => {
    const hub = await startHub();
    isolateHubEnvironment({ HF_ENDPOINT: hub.url, ...variables });
    hub.publish('owner/model', minimal);
    const cacheDir = temporaryDirectory();
    await expect(resolveModel('owner/model', { cacheDir, ...options })).rejects.toMatchObject({
      code: 'ERR_OFFLINE',
      message: expect.stringMatching(pattern) as string,
    });
    expect(hub.requests).toEqual([]);
    expect(existsSync(join(cacheDir, 'models--owner--model'))).toBe(false);
  });

  test('a full cache is enough, even one of another program that lacks optional files', async () => {
    isolateHubEnvironment({ HF_HUB_OFFLINE: 'true' });
    expect(await resolveModel('owner/model', { cacheDir: foreignCache(minimal) })).toMatchObject({ source: 'cache' });
  });

  test('offline: false overrules HF_HUB_OFFLINE', async () => {
    const hub = await startHub();
    isolateHubEnvironment({ HF_ENDPOINT: hub.url, HF_HUB_OFFLINE: '1' });
    hub.publish('owner/model', minimal);
    const cacheDir = temporaryDirectory();
    expect(await resolveModel('owner/model', { cacheDir, offline: false })).toMatchObject({ source: 'hub' });
  });
});

describe('the environment', () => {
  test('names the cache directory, in the documented order', () => {
    const all = {
      HF_HUB_CACHE: '/1',
      HUGGINGFACE_HUB_CACHE: '/2',
      EXT_AI_CACHE_DIR: '/3',
      HF_HOME: '/4',
      XDG_CACHE_HOME: '/5',
    };
    const expected = ['/1', '/2', '/3', '/4/hub', '/5/huggingface/hub', join(homedir(), '.cache/huggingface/hub')];
    const remaining: Record<string, string> = { ...all };
    const found = [defaultCacheDirectory(remaining)];
    for (const name of Object.keys(all)) {
      // Blank counts as unset.
      remaining[name] = ' ';
      found.push(defaultCacheDirectory(remaining));
    }
    expect(found).toEqual(expected);
    expect(defaultCacheDirectory({ HF_HOME: '~/models' })).toBe(join(homedir(), 'models', 'hub'));
  });

  test.each(['1', 'true', 'YES', 'on'])('HF_HUB_OFFLINE=%s is offline', (value) =>
    expect(isOffline({ HF_HUB_OFFLINE: value })).toBe(true),
  );
  test.each(['0', 'false', '', undefined])('HF_HUB_OFFLINE=%s is not', (value) =>
    expect(isOffline({ HF_HUB_OFFLINE: value })).toBe(false),
  );

  test('is where models go when no cacheDir is given; cacheDir comes first', async () => {
    const hub = await startHub();
    const [edge, home, chosen] = [temporaryDirectory(), temporaryDirectory(), temporaryDirectory()];
    isolateHubEnvironment({ HF_ENDPOINT: hub.url, HF_HOME: home, EXT_AI_CACHE_DIR: edge });
    hub.publish('owner/model', minimal);
    expect((await resolveModel('owner/model')).directory.startsWith(join(edge, 'models--owner--model'))).toBe(true);
    delete process.env.EXT_AI_CACHE_DIR;
    expect((await resolveModel('owner/model')).directory.startsWith(join(home, 'hub'))).toBe(true);
    expect((await resolveModel('owner/model', { cacheDir: chosen })).directory.startsWith(chosen)).toBe(true);
  });
});

describe('a system without symbolic links', () => {
  afterEach(() => {
    vi.doUnmock('node:fs/promises');
    vi.resetModules();
  });

  const refuse = () => Promise.reject(Object.assign(new Error('EPERM'), { code: 'EPERM' }));

  test.each([
    ['gets hard links', { symlink: refuse }, 2],
    ['or links of any kind, gets copies', { symlink: refuse, link: refuse }, 1],
  ])('%s', async (_name, overrides, links) => {
    vi.doMock('node:fs/promises', async (original) => ({ ...(await original<object>()), ...overrides }));
    vi.resetModules();
    const { RepositoryCache: Cache } = await import('../../lib/models/cache.js');
    const cache = new Cache(temporaryDirectory(), 'owner/model');
    const blob = cache.blobPath(sha256('weights'));
    mkdirSync(dirname(blob), { recursive: true });
    writeFileSync(blob, 'weights');
    await cache.linkIntoSnapshot(commit, 'onnx/model.onnx', sha256('weights'));
    const pointer = join(cache.snapshotDirectory(commit), 'onnx', 'model.onnx');
    expect(readFileSync(pointer, 'utf8')).toBe('weights');
    expect(lstatSync(pointer)).toMatchObject({ nlink: links });
    expect(lstatSync(pointer).isSymbolicLink()).toBe(false);
  });
});
