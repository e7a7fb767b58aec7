/** A user without a home directory, as in containers that run as a number the system does not know. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { defaultCacheDirectory, expandHome, hubToken } from '../../lib/models/environment.js';

vi.mock('node:os', async (original) => ({
  ...(await original<typeof import('node:os')>()),
  homedir: () => {
    throw new Error('A system error occurred: uv_os_homedir returned ENOENT (no such file or directory)');
  },
}));

beforeEach(() => {
  for (const name of ['HF_HOME', 'HF_HUB_CACHE', 'HUGGINGFACE_HUB_CACHE', 'EXT_AI_CACHE_DIR', 'XDG_CACHE_HOME'])
    vi.stubEnv(name, undefined);
  for (const name of ['HF_TOKEN', 'HUGGING_FACE_HUB_TOKEN', 'HF_TOKEN_PATH']) vi.stubEnv(name, undefined);
});
afterEach(() => void vi.unstubAllEnvs());

test('is told to name a directory for the cache', () => {
  for (const ask of [() => defaultCacheDirectory(), () => expandHome('~/models')]) {
    expect(ask).toThrow(expect.objectContaining({ code: 'ERR_CACHE_WRITE' }));
    expect(ask).toThrow(/HF_HOME/);
  }
});

test('needs none where the cache has its place', async () => {
  vi.stubEnv('HF_HUB_CACHE', '/tmp/models');
  expect(defaultCacheDirectory()).toMatch(/models$/);
  expect(expandHome('/models')).toBe('/models');
  expect(await hubToken()).toBeUndefined();
});
