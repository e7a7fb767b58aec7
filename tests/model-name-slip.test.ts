/** A slip in a model's name makes it a language model's: what fails then says what was probably meant. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { GtewayError, Session } from '../lib/index.js';

beforeEach(() => vi.stubEnv('AI_INFERENCE_API_HOST', undefined));
afterEach(() => vi.unstubAllEnvs());

async function failureOf(work: Promise<unknown>): Promise<Error> {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(Error);
  return error as Error;
}

test.each(['gte-smal', 'gte_small', 'Gte-Samll'])('%s: run() without a server', async (name) => {
  const error = await failureOf(new Session<string>(name).run('Hello world'));
  expect(error).toMatchObject({ code: 'ERR_LLM_HOST' });
  expect(error.message).toMatch(/no language-model server is named.*; did you mean the embedding model 'gte-small'\?$/);
});

test("the Edge runtime's options of an embedding", async () => {
  const error = await failureOf(new Session<string>('gte-smal').run('Hello world', { mean_pool: true }));
  expect(error.message).toMatch(/did you mean the embedding model 'gte-small'\?$/);
});

test('a server that does not have the model', async () => {
  const session = new Session<string>('gte-smal', {
    host: 'http://localhost:11434',
    fetch: () => Promise.resolve(Response.json({ error: "model 'gte-smal' not found" }, { status: 404 })),
  });
  const error = await failureOf(session.run('Hello world'));
  expect(error).toMatchObject({ code: 'ERR_LLM_MODEL_MISSING', details: { status: 404, model: 'gte-smal' } });
  expect(error.message).toMatch(/did you mean the embedding model 'gte-small'\?$/);
});

test('what only embedding models have', async () => {
  const session = new Session<string>('bge-smal-en-v1.5');
  const expected = /'bge-smal-en-v1\.5' is a language model; did you mean the embedding model 'bge-small-en-v1\.5'\?$/;
  expect((await failureOf(session.embed('Hello world'))).message).toMatch(expected);
  expect(() => session.stats()).toThrow(expected);
});

test.each(['mistral', 'llama3:8b', 'LLaMA_CPP', 'qwen2.5'])('%s is no slip', async (name) => {
  const error = await failureOf(new Session<string>(name).run('Hello world'));
  expect(error).toBeInstanceOf(GtewayError);
  expect(error.message).not.toMatch(/did you mean/);
  expect(() => new Session<string>(name).stats()).toThrow(new RegExp(`'${name}' is a language model$`));
});
