/** The APIs' own clients, from npm, against the server: every vector is compared with the library's. */
import { InferenceClient } from '@huggingface/inference';
import { OpenAIEmbeddings } from '@langchain/openai';
import { Ollama } from 'ollama';
import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { cosineSimilarity, type Embeddings, Session } from '../../lib/index.js';
import { cosine } from '../fixtures/vectors.js';
import { get, modelName, openServer, post, type TestServer } from './serve-fixture.js';

const texts = ['Hello world', 'a small dog', '', 'Zürich, 東京 and “quotes”', `${'long '.repeat(700)}end`];
const apiKey = 'sk-test-0123456789';
let running: TestServer;
let session: Session;
let expected: Embeddings;

beforeAll(async () => {
  session = await Session.load(inject('fixture'), { dtype: 'fp32' });
  expected = await session.embed(texts);
  running = await openServer({ apiKey: ['another', apiKey] });
});
afterAll(async () => {
  await running.server.close();
  await session.close();
});

function expectRows(rows: readonly ArrayLike<number>[], wanted: Embeddings = expected): void {
  expect(rows).toHaveLength(wanted.rows);
  for (const [i, row] of rows.entries()) {
    expect(row).toHaveLength(wanted.dimensions);
    // Not bit for bit: what shares a batch with a text may change ONNX Runtime's last bits.
    expect(cosine(row, wanted.at(i))).toBeGreaterThan(0.999999);
  }
}

describe('openai', () => {
  const client = (): OpenAI => new OpenAI({ apiKey, baseURL: `${running.url}/v1`, maxRetries: 0 });

  test('embeddings, as the SDK asks for them by default (base64)', async () => {
    const { data, model, usage, object } = await client().embeddings.create({ model: modelName, input: texts });
    expectRows(data.map(({ embedding }) => embedding));
    expect(data.map(({ index }) => index)).toEqual(texts.map((_, i) => i));
    const tokens = expected.tokens.reduce((sum, count) => sum + count, 0);
    expect({ model, usage, object }).toEqual({
      model: modelName,
      object: 'list',
      usage: { prompt_tokens: tokens, total_tokens: tokens },
    });
  });

  test('one text, floats, and the user field', async () => {
    const { data } = await client().embeddings.create({
      model: modelName,
      input: 'Hello world',
      encoding_format: 'float',
      user: 'somebody',
    });
    expectRows(
      data.map(({ embedding }) => embedding),
      await session.embed('Hello world'),
    );
  });

  test('both encodings are the same float32 values', async () => {
    const ask = async (encoding_format: 'float' | 'base64'): Promise<Float32Array> => {
      const { json } = await post(
        `${running.url}/v1/embeddings`,
        { model: modelName, input: 'Hello world', encoding_format },
        { authorization: `Bearer ${apiKey}` },
      );
      const [{ embedding }] = (json as { data: [{ embedding: string | number[] }] }).data;
      if (typeof embedding !== 'string') return Float32Array.from(embedding);
      const bytes = Buffer.from(embedding, 'base64');
      return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
    };
    expect(await ask('float')).toEqual(await ask('base64'));
  });

  test('dimensions', async () => {
    const { data } = await client().embeddings.create({ model: modelName, input: texts, dimensions: 8 });
    expectRows(
      data.map(({ embedding }) => embedding),
      await session.embed(texts, { dimensions: 8 }),
    );
  });

  test('token ids, with and without special tokens, one list and several', async () => {
    const { json } = await post(
      `${running.url}/tokenize`,
      { inputs: 'Unaffordable, naïve 東京!', add_special_tokens: false },
      { authorization: `Bearer ${apiKey}` },
    );
    const ids = (json as [{ id: number }[]])[0].map(({ id }) => id);
    const wanted = await session.embed('Unaffordable, naïve 東京!');
    const one = await client().embeddings.create({ model: modelName, input: ids });
    expectRows(
      one.data.map(({ embedding }) => embedding),
      wanted,
    );
    expect(one.usage.prompt_tokens).toBe(wanted.tokens[0]);
    const several = await client().embeddings.create({ model: modelName, input: [[101, ...ids, 102], ids] });
    for (const { embedding } of several.data) expect(cosine(embedding, wanted.at(0))).toBeGreaterThan(0.999999);
  });

  test("ids of another model's tokenizer are refused, not embedded as other words", async () => {
    // cl100k_base for "The quick brown fox".
    const failure = await client()
      .embeddings.create({ model: modelName, input: [791, 4062, 14198, 39935] })
      .catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(OpenAI.BadRequestError);
    expect(failure).toMatchObject({ status: 400, type: 'invalid_request_error', param: 'input' });
    expect((failure as Error).message).toContain("not of this model's tokenizer");
  });

  test('models', async () => {
    const ids: string[] = [];
    for await (const model of client().models.list()) ids.push(model.id);
    expect(ids).toEqual([modelName]);
    const model = await client().models.retrieve(modelName);
    expect(model).toMatchObject({ id: modelName, object: 'model', owned_by: 'gteway' });
    expect(model.created).toBeGreaterThan(1e9);
  });

  test('errors are those the SDK knows', async () => {
    const ask = (model: string, key = apiKey): Promise<unknown> =>
      new OpenAI({ apiKey: key, baseURL: `${running.url}/v1`, maxRetries: 0 }).embeddings
        .create({ model, input: 'x' })
        .then(
          () => undefined,
          (error: unknown) => error,
        );
    const unknown = await ask('gte-smal');
    expect(unknown).toBeInstanceOf(OpenAI.NotFoundError);
    expect(unknown).toMatchObject({ code: 'model_not_found', param: 'model' });
    expect((unknown as Error).message).toContain(`did you mean '${modelName}'?`);
    const wrongKey = await ask(modelName, 'sk-wrong');
    expect(wrongKey).toBeInstanceOf(OpenAI.AuthenticationError);
    expect(wrongKey).toMatchObject({ code: 'invalid_api_key' });
    const languageModel = await client()
      .chat.completions.create({ model: 'mistral', messages: [] })
      .catch((error: unknown) => error);
    expect((languageModel as Error).message).toContain('embedding models only');
  });
});

describe('@langchain/openai', () => {
  test('embedDocuments and embedQuery', async () => {
    const embeddings = new OpenAIEmbeddings({
      apiKey,
      model: modelName,
      configuration: { baseURL: `${running.url}/v1` },
      maxRetries: 0,
      batchSize: 2,
      stripNewLines: false,
    });
    expectRows(await embeddings.embedDocuments(texts));
    expectRows([await embeddings.embedQuery('Hello world')], await session.embed('Hello world'));
  });
});

describe('ollama', () => {
  const client = (): Ollama => new Ollama({ host: running.url, headers: { Authorization: `Bearer ${apiKey}` } });

  test('embed, one text and several', async () => {
    const answer = await client().embed({ model: modelName, input: texts });
    expectRows(answer.embeddings);
    expect(answer.model).toBe(modelName);
    expect(answer.prompt_eval_count).toBe(expected.tokens.reduce((sum, count) => sum + count, 0));
    expect(answer.total_duration).toBeGreaterThan(0);
    expectRows(
      (await client().embed({ model: `${modelName}:latest`, input: 'Hello world' })).embeddings,
      await session.embed('Hello world'),
    );
  });

  test('truncate: false, dimensions, keep_alive and options', async () => {
    await expect(client().embed({ model: modelName, input: texts, truncate: false })).rejects.toThrow(/token/);
    const { embeddings } = await client().embed({
      model: modelName,
      input: 'Hello world',
      dimensions: 8,
      keep_alive: '5m',
      options: { num_ctx: 512 },
    });
    expectRows(embeddings, await session.embed('Hello world', { dimensions: 8 }));
  });

  test('embeddings, the older way', async () => {
    const { embedding } = await client().embeddings({ model: modelName, prompt: 'Hello world' });
    expectRows([embedding], await session.embed('Hello world'));
    expect((await client().embeddings({ model: modelName, prompt: '' })).embedding).toEqual([]);
  });

  test('nothing to embed loads a model in Ollama, and is no error here', async () => {
    expect((await client().embed({ model: modelName, input: '' })).embeddings).toEqual([]);
    expect((await client().embed({ model: modelName, input: [] })).embeddings).toEqual([]);
  });

  test('list and version', async () => {
    const { models } = await client().list();
    expect(models).toHaveLength(1);
    expect(models[0]).toMatchObject({
      name: `${modelName}:latest`,
      digest: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
      details: { family: 'bert', format: 'onnx', quantization_level: 'F32' },
    });
    expect(await client().version()).toEqual({ version: '1.2.3' });
  });

  test('errors say what is wrong', async () => {
    await expect(client().embed({ model: 'mistral', input: 'x' })).rejects.toThrow(/no embedding model 'mistral'/);
    await expect(client().generate({ model: 'mistral', prompt: 'x' })).rejects.toThrow(/embedding models only/);
  });

  test('a body is read as JSON whatever its Content-Type says, as curl -d sends it', async () => {
    const { status } = await post(
      `${running.url}/api/embed`,
      { model: modelName, input: 'x' },
      { authorization: `Bearer ${apiKey}`, 'content-type': 'application/x-www-form-urlencoded' },
    );
    expect(status).toBe(200);
  });
});

describe('@huggingface/inference and text-embeddings-inference', () => {
  const headers = { authorization: `Bearer ${apiKey}` };

  test('featureExtraction at /embed and at the root of an endpoint', async () => {
    for (const path of ['/embed', '/']) {
      const client = new InferenceClient(apiKey, { endpointUrl: running.url + path });
      expectRows((await client.featureExtraction({ inputs: texts })) as number[][]);
      const one = (await client.featureExtraction({ inputs: 'Hello world', normalize: false })) as number[][];
      expectRows(one, await session.embed('Hello world', { normalize: false }));
      expect(Math.hypot(...(one[0] ?? []))).toBeGreaterThan(1.1);
    }
  });

  test('sentenceSimilarity at /similarity', async () => {
    const client = new InferenceClient(apiKey, { endpointUrl: `${running.url}/similarity` });
    const [source = '', ...sentences] = texts;
    const similarities = await client.sentenceSimilarity({ inputs: { source_sentence: source, sentences } });
    const wanted = sentences.map((_, i) => cosineSimilarity(expected.at(0), expected.at(i + 1)));
    for (const [i, value] of similarities.entries()) expect(value).toBeCloseTo(wanted[i] ?? NaN, 5);
    expect(similarities).toHaveLength(sentences.length);
  });

  test('the documented requests of /embed', async () => {
    const one = await post(`${running.url}/embed`, { inputs: 'What is Deep Learning?' }, headers);
    expectRows(one.json as number[][], await session.embed('What is Deep Learning?'));
    // The ids of 'Hello world'.
    const ids = await post(`${running.url}/embed`, { inputs: [[101, 1319, 668, 102], 'a small dog'] }, headers);
    expectRows(ids.json as number[][], await session.embed(['Hello world', 'a small dog']));
    const tooLong = await post(`${running.url}/embed`, { inputs: texts, truncate: false }, headers);
    expect([tooLong.status, tooLong.json]).toEqual([
      413,
      { error: expect.stringMatching(/token/) as string, error_type: 'Validation' },
    ]);
    const cut = await post(
      `${running.url}/embed`,
      { inputs: 'x', dimensions: 5, truncation_direction: 'Right', prompt_name: null },
      headers,
    );
    expect((cut.json as number[][])[0]).toHaveLength(5);
  });

  test('/embed_all gives a vector per token', async () => {
    const { json } = await post(`${running.url}/embed_all`, { inputs: ['Hello world', 'dog'] }, headers);
    const perText = json as number[][][];
    const wanted = await session.embed(['Hello world', 'dog'], { pooling: 'none' });
    expect(perText.map((rows) => rows.length)).toEqual(Array.from(wanted.tokens));
    expectRows(perText.flat(), wanted);
  });

  test('/tokenize', async () => {
    const { json } = await post(`${running.url}/tokenize`, { inputs: ['Unaffordable!', 'x'] }, headers);
    const [tokens] = json as [
      { text: string; token: string; special: boolean; start: number | null; stop: number | null }[],
    ];
    expect(tokens.map(({ text }) => text)).toEqual(['[CLS]', 'Un', 'af', 'ford', 'able', '!', '[SEP]']);
    expect(tokens.map(({ token }) => token)).toEqual(['[CLS]', 'un', '##af', '##ford', '##able', '!', '[SEP]']);
    expect(tokens.map(({ start, stop }) => [start, stop])).toEqual([
      [null, null],
      [0, 2],
      [2, 4],
      [4, 8],
      [8, 12],
      [12, 13],
      [null, null],
    ]);
    expect(tokens.map(({ special }) => special)).toEqual([true, false, false, false, false, false, true]);
    expect(tokens[0]).toEqual({
      id: 101,
      text: '[CLS]',
      token: '[CLS]',
      special: true,
      start: null,
      stop: null,
    });
    const bare = await post(`${running.url}/tokenize`, { inputs: 'x', add_special_tokens: false }, headers);
    expect(bare.json).toHaveLength(1);
    expect((bare.json as object[][])[0]).toHaveLength(1);
  });

  test('/info', async () => {
    const { json } = await get(`${running.url}/info`, headers);
    expect(json).toMatchObject({
      model_id: modelName,
      model_dtype: expect.stringMatching(/^(?:float32|bfloat16)$/) as string,
      model_type: { embedding: { pooling: 'mean' } },
      max_input_length: 512,
      max_client_batch_size: 2048,
      auto_truncate: true,
      tokenization_workers: 2,
      version: '1.2.3',
    });
  });
});
