/** What a session says when no engine can run its model. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { GtewayError, Session } from '../../lib/index.js';
import { demoShape, type FixtureShape } from '../../lib/models/fixture/shape.js';
import { writeFixtureModel } from '../../lib/models/fixture/fixture-model.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gteway-engine-loading-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function withoutOnnx(name: string, shape: Partial<FixtureShape>): Promise<string> {
  const directory = join(folder, name);
  await writeFixtureModel(directory, { ...demoShape, layers: 1, ...shape });
  await rm(join(directory, 'onnx'), { recursive: true });
  return directory;
}

async function failureOf(model: string): Promise<GtewayError> {
  const error: unknown = await Session.load(model, { device: 'cpu' }).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(GtewayError);
  return error as GtewayError;
}

test('safetensors that the encoder refuses, and no file for ONNX Runtime: both are told', async () => {
  const model = await withoutOnnx('odd', { hidden: 160, heads: 5, intermediate: 200 });
  const { code, message, details } = await failureOf(model);
  expect(code).toBe('ERR_MODEL_NOT_FOUND');
  expect(message).toMatch(/has no \.onnx file at all/);
  expect(message).toMatch(/the encoder does not run this model: .*\b200\b/);
  expect(details).toMatchObject({ available: [] });
});

test('no weights for any engine: what is missing is told once', async () => {
  const model = await withoutOnnx('bare', {});
  await rm(join(model, 'model.safetensors'));
  const { code, message } = await failureOf(model);
  expect(code).toBe('ERR_MODEL_NOT_FOUND');
  expect(message.match(/has no /g)).toHaveLength(2);
  expect(message).not.toMatch(/the encoder does not run/);
});
