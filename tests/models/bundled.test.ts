/** The model in the package, by its name: no network, no cache, no file written. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { Session, Tokenizer } from '../../lib/index.js';
import { bundledDirectory, bundledModel } from '../../lib/models/bundled.js';
import { classifyModel } from '../../lib/models/classify.js';
import { nearestKnownModel } from '../../lib/models/registry.js';

let cache: string;
beforeAll(() => {
  cache = mkdtempSync(join(tmpdir(), 'gteway-bundled-'));
  vi.stubEnv('HF_HUB_CACHE', cache);
  // Whatever asks a hub fails at once.
  vi.stubEnv('HF_ENDPOINT', 'http://127.0.0.1:9');
});
afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(cache, { recursive: true });
});

test('is found by its name in any case, and by no other', () => {
  const reference = { kind: 'directory', name: bundledModel, directory: bundledDirectory() };
  expect(classifyModel('gteway-mini')).toEqual(reference);
  expect(classifyModel('GTEway-Mini')).toEqual(reference);
  expect(classifyModel('gteway-mini2').kind).toBe('llm');
  expect(nearestKnownModel('gteway-mni')).toBe(bundledModel);
});

test('runs without a hub, and leaves nothing behind', async () => {
  await using session = await Session.load('gteway-mini');
  expect(session.info).toMatchObject({ model: 'gteway-mini', pooling: 'mean' });
  const vector = await session.run('Hello world');
  expect(vector).toHaveLength(session.info.dimensions);
  expect(Math.hypot(...vector)).toBeCloseTo(1, 5);
  const tokenizer = await Tokenizer.load('gteway-mini');
  expect(tokenizer.tokens('the dog')).toEqual(['[CLS]', 'the', 'dog', '[SEP]']);
  expect(readdirSync(cache)).toEqual([]);
});

test('has vectors that cosines tell apart by meaning', async () => {
  await using session = await Session.load('gteway-mini');
  const [dog, puppy, bank] = await session.embed([
    'a young dog',
    'Puppies need food and sleep.',
    'The bank raised its rate.',
  ]);
  const dot = (a: Float32Array, b: Float32Array): number => a.reduce((sum, value, i) => sum + value * (b[i] ?? 0), 0);
  if (dog === undefined || puppy === undefined || bank === undefined) throw new Error('three texts gave fewer rows');
  expect(dot(dog, puppy)).toBeGreaterThan(dot(dog, bank) + 0.1);
});
