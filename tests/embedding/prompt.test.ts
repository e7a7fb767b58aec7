/** `prompt`: names and texts, where names come from, and that the vectors are those of the whole text. */
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { promptText } from '../../lib/embedding/prompt.js';
import { sliceEnds } from '../../lib/embedding/slice-bounds.js';
import { type Embeddings, Session } from '../../lib/index.js';
import { knownPrompts, readPrompts } from '../../lib/models/prompts.js';
import { knownModels } from '../../lib/models/registry.js';
import { post, startServer } from '../server/serve-fixture.js';

const folder = mkdtempSync(join(tmpdir(), 'gteway-prompt-'));
const directory = join(folder, 'model');
afterAll(() => rmSync(folder, { recursive: true }));

beforeAll(() => {
  cpSync(inject('fixture'), directory, { recursive: true });
  const config = { prompts: { query: 'a question: ', document: 'an answer: ' }, default_prompt_name: 'query' };
  writeFileSync(join(directory, 'config_sentence_transformers.json'), JSON.stringify(config));
});

const texts = ['how do I cook an egg?', '', 'train'];

async function open(options: ConstructorParameters<typeof Session>[1] = {}): Promise<Session> {
  return Session.load(directory, { threads: 2, dtype: 'fp32', ...options });
}

function expectSame(actual: Embeddings, expected: Embeddings): void {
  expect(actual.tokens).toEqual(expected.tokens);
  for (const [i, value] of actual.data.entries()) expect(value).toBeCloseTo(expected.data[i] ?? NaN, 5);
}

describe('a prompt', () => {
  test('is put before every text, by its name or as it is, and only where it is asked for', async () => {
    await using session = await open();
    expect(session.info.prompts).toEqual({ query: 'a question: ', document: 'an answer: ', passage: 'an answer: ' });
    const whole = await session.embed(texts.map((text) => `a question: ${text}`));
    expectSame(await session.embed(texts, { prompt: 'query' }), whole);
    expectSame(await session.embed(texts, { prompt: { text: 'a question: ' } }), whole);
    const answers = await session.embed(texts.map((text) => `an answer: ${text}`));
    expectSame(await session.embed(texts, { prompt: 'passage' }), answers);
    expectSame(await session.embed(texts, { prompt: { text: '' } }), await session.embed(texts));
    expect((await session.embed(texts)).tokens[1]).toBe(2);
  });

  test('is taken by run and embedStream, too', async () => {
    await using session = await open();
    const whole = await session.embed(`a question: ${texts[0]}`);
    const row = await session.run(texts[0] ?? '', { prompt: 'query' });
    for (const [i, value] of row.entries()) expect(value).toBeCloseTo(whole.data[i] ?? NaN, 5);
    for await (const streamed of session.embedStream([texts[0] ?? ''], { prompt: 'query' })) {
      for (const [i, value] of streamed.entries()) expect(value).toBeCloseTo(whole.data[i] ?? NaN, 5);
    }
  });

  test('makes another text of it for the cache', async () => {
    await using session = await open({ cache: { maxBytes: 1 << 20 } });
    const plain = await session.embed('egg');
    const asked = await session.embed('egg', { prompt: 'query' });
    const again = await session.embed('egg', { prompt: 'query' });
    expect(asked.data).not.toEqual(plain.data);
    expect(again.data).toEqual(asked.data);
    expect(session.stats().cache).toMatchObject({ hits: 1, misses: 2 });
  });

  test('that the model does not have is an error naming those it has', async () => {
    await using session = await open();
    const failure = (prompt: unknown): Promise<unknown> => session.embed('egg', { prompt: prompt as string });
    await expect(failure('qeury')).rejects.toThrow(/has no prompt 'qeury'; did you mean 'query'\?/);
    await expect(failure('constructor')).rejects.toThrow(/it has 'query', 'document', 'passage'/);
    await expect(failure(1)).rejects.toThrow(TypeError);
    await expect(failure({ text: 1 })).rejects.toThrow(TypeError);
    await expect(failure({ text: 'a', name: 'b' })).rejects.toThrow(TypeError);
    await using other = await Session.load(inject('fixture'), { threads: 1 });
    await expect(other.embed('egg', { prompt: 'query' })).rejects.toThrow(/it names none/);
  });

  test('counts where a call is cut into slices', () => {
    const bounds = { mostTexts: 100, mostCharacters: 20 };
    expect(sliceEnds(['aaaa', 'bbbb', 'cccc', 'dddd'], bounds)).toEqual([4]);
    expect(sliceEnds(['aaaa', 'bbbb', 'cccc', 'dddd'], bounds, 6)).toEqual([2, 4]);
    expect(sliceEnds(['aaaa', 'bbbb'], bounds, 60)).toEqual([1, 2]);
  });
});

describe('names', () => {
  test('of known models are query and passage, an empty one where the card asks for nothing', () => {
    const promptsOf = (name: string): object => {
      const model = knownModels.find((candidate) => candidate.name === name);
      if (model === undefined) throw new Error(`no ${name}`);
      return knownPrompts(model);
    };
    expect(promptsOf('e5-small-v2')).toEqual({ query: 'query: ', passage: 'passage: ' });
    expect(promptsOf('bge-small-en-v1.5')).toMatchObject({ passage: '' });
    expect(promptsOf('gte-small')).toEqual({});
    expect(
      promptText('passage', { model: 'x', prompts: promptsOf('bge-small-en-v1.5') as Record<string, string> }),
    ).toBe('');
  });

  test('of a file that is none are an error', async () => {
    const path = join(folder, 'config_sentence_transformers.json');
    for (const content of [
      '{"prompts": ["query: "]}',
      '{"prompts": "query: "}',
      '{"prompts": {"query": 1}}',
      '{"prompts"',
    ]) {
      writeFileSync(path, content);
      await expect(readPrompts(folder)).rejects.toMatchObject({ code: 'ERR_MODEL_INVALID' });
    }
    for (const content of ['{}', '{"prompts": null}', 'null']) {
      writeFileSync(path, content);
      expect(await readPrompts(folder)).toEqual({});
    }
  });
});

test('the server takes text-embeddings-inference’s prompt_name', async () => {
  const { url } = await startServer({ models: [{ name: 'prompted', model: directory }] });
  const answer = async (path: string, body: object): Promise<unknown> => (await post(`${url}${path}`, body)).json;
  const close = ([a = []]: number[][], [b = []]: number[][]): void => {
    expect(a).toHaveLength(b.length);
    for (const [i, value] of a.entries()) expect(value).toBeCloseTo(b[i] ?? NaN, 5);
  };
  close(
    (await answer('/embed', { inputs: 'egg', prompt_name: 'query' })) as number[][],
    (await answer('/embed', { inputs: 'a question: egg' })) as number[][],
  );
  expect(await answer('/tokenize', { inputs: 'egg', prompt_name: 'query' })).toEqual(
    await answer('/tokenize', { inputs: 'a question: egg' }),
  );
  expect(
    await answer('/similarity', {
      inputs: { source_sentence: 'egg', sentences: ['egg'] },
      parameters: { prompt_name: 'query' },
    }),
  ).toHaveLength(1);
  expect(await post(`${url}/embed`, { inputs: 'egg', prompt_name: 'nothing' })).toMatchObject({
    status: 422,
    json: { error: "prompt_name: prompted has no prompt 'nothing'; it has 'query', 'document', 'passage'" },
  });
});
