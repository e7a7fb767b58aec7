/** The routes of rerankers: text-embeddings-inference's and Cohere's, beside an embedding model. */
import { CohereClient, CohereClientV2 } from 'cohere-ai';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { Reranker } from '../../lib/index.js';
import type { Ranked } from '../../lib/index.js';
import { type Answer, get, modelName, openServer, post, startServer, type TestServer } from './serve-fixture.js';

const query = 'how do I cook an egg?';
const texts = ['the egg is cooked in water', 'a train to the sea', 'the egg', ''];
let running: TestServer;
let expected: Ranked[];

beforeAll(async () => {
  await using reranker = await Reranker.load(inject('reranker'), { dtype: 'fp32' });
  expected = await reranker.rerank(query, texts);
  running = await openServer({
    models: [
      { name: modelName, model: inject('fixture') },
      { name: 'ranker', model: inject('reranker') },
    ],
    maxBatch: 8,
  });
});
afterAll(() => running.server.close());

function expectRanked(
  results: readonly { index: number; score: number }[],
  wanted: readonly Ranked[] = expected,
): void {
  expect(results.map(({ index }) => index)).toEqual(wanted.map(({ index }) => index));
  for (const [i, { score }] of results.entries()) expect(score).toBeCloseTo(wanted[i]?.score ?? NaN, 5);
}

describe('POST /rerank', () => {
  const rerank = (body: object): Promise<Answer> => post(`${running.url}/rerank`, body);

  test('gives scores between 0 and 1, best first', async () => {
    const { status, json } = await rerank({ query, texts });
    expect(status).toBe(200);
    expectRanked(json as Ranked[]);
    expect(Object.keys((json as object[])[0] ?? {})).toEqual(['index', 'score']);
  });

  test('gives raw scores and texts where they are asked for', async () => {
    const { json } = await rerank({
      query,
      texts,
      raw_scores: true,
      return_text: true,
      truncate: true,
      model: 'ranker',
    });
    const results = json as Required<Ranked>[];
    expectRanked(results.map(({ index, score }) => ({ index, score: 1 / (1 + Math.exp(-score)) })));
    expect(results.map(({ text }) => text)).toEqual(results.map(({ index }) => texts[index]));
  });

  test('refuses what it does not take, in the shape its clients read', async () => {
    const failure = async (body: object): Promise<unknown[]> => {
      const { status, json } = await rerank(body);
      return [status, (json as { error: string }).error, (json as { error_type: string }).error_type];
    };
    const valid = { query, texts };
    expect(await failure({ texts })).toEqual([422, 'query is missing', 'Validation']);
    expect(await failure({ ...valid, texts: [] })).toEqual([422, expect.stringContaining('texts'), 'Validation']);
    expect(await failure({ ...valid, texts: ['a', 1] })).toEqual([
      422,
      'texts[1] must be a string, not 1',
      'Validation',
    ]);
    expect(await failure({ ...valid, textz: 1 })).toEqual([422, expect.stringContaining("'texts'"), 'Validation']);
    expect(await failure({ ...valid, texts: Array(9).fill('a') })).toEqual([
      413,
      expect.stringContaining('more than the 8'),
      'Validation',
    ]);
    expect(await failure({ ...valid, model: modelName })).toEqual([
      404,
      `'${modelName}' is an embedding model: POST /embed`,
      'Validation',
    ]);
    expect(await failure({ ...valid, model: 'rankr' })).toEqual([
      404,
      expect.stringContaining("'ranker'"),
      'Validation',
    ]);
    expect(await failure({ query: 'egg '.repeat(600), texts })).toEqual([
      413,
      expect.stringContaining('Shorten the query'),
      'Validation',
    ]);
    expect(await failure({ ...valid, texts: ['egg '.repeat(600)], truncate: false })).toEqual([
      413,
      expect.stringContaining('with its query'),
      'Validation',
    ]);
  });
});

describe("Cohere's client", () => {
  test('of the second version', async () => {
    const client = new CohereClientV2({ token: 'any', environment: running.url });
    const { results, meta, id } = await client.rerank({ model: 'ranker', query, documents: texts });
    expectRanked(results.map(({ index, relevanceScore }) => ({ index, score: relevanceScore })));
    expect(meta?.apiVersion?.version).toBe('2');
    expect(typeof id).toBe('string');
    const best = await client.rerank({ model: 'ranker', query, documents: texts, topN: 2 });
    expect(best.results.map(({ index }) => index)).toEqual(expected.slice(0, 2).map(({ index }) => index));
  });

  test('of the first version, with documents as objects, given back', async () => {
    const client = new CohereClient({ token: 'any', environment: running.url });
    const { results } = await client.rerank({
      model: 'ranker',
      query,
      documents: texts.map((text) => ({ text })),
      returnDocuments: true,
    });
    expectRanked(results.map(({ index, relevanceScore }) => ({ index, score: relevanceScore })));
    expect(results.map(({ document }) => document?.text)).toEqual(expected.map(({ index }) => texts[index]));
  });

  test('is told what is wrong', async () => {
    const client = new CohereClientV2({ token: 'any', environment: running.url, maxRetries: 0 });
    await expect(client.rerank({ model: modelName, query, documents: texts })).rejects.toMatchObject({
      statusCode: 404,
      body: { message: expect.stringContaining('POST /embed') as string },
    });
    await expect(client.rerank({ model: 'ranker', query, documents: [] })).rejects.toMatchObject({ statusCode: 400 });
  });
});

test("Jina's answer has the tokens that it cost", async () => {
  const { json } = await post(`${running.url}/v1/rerank`, { model: 'ranker', query, documents: texts, top_n: 1 });
  const { usage, results } = json as { usage: { total_tokens: number }; results: unknown[] };
  expect(usage.total_tokens).toBeGreaterThan(texts.length * 10);
  expect(results).toHaveLength(1);
});

describe('beside embedding models', () => {
  test('each route takes the first model of its kind, and /info, /v1/models and /tokenize know both', async () => {
    expect((await post(`${running.url}/embed`, { inputs: 'x' })).status).toBe(200);
    expect((await post(`${running.url}/embed`, { inputs: 'x', model: 'ranker' })).json).toMatchObject({
      error: "'ranker' is a reranker: POST /rerank",
    });
    const { models } = (await get(`${running.url}/info`)).json as { models: object[] };
    expect(models).toMatchObject([
      { model_id: modelName, model_type: { embedding: { pooling: 'mean' } } },
      { model_id: 'ranker', model_type: { reranker: { id2label: { '0': 'LABEL_0' } } } },
    ]);
    expect(((await get(`${running.url}/v1/models`)).json as { data: object[] }).data).toHaveLength(2);
    expect((await get(`${running.url}/v1/models/ranker`)).json).toMatchObject({ id: 'ranker' });
    expect((await post(`${running.url}/tokenize`, { inputs: 'egg', model: 'ranker' })).status).toBe(200);
    expect(((await get(`${running.url}/api/tags`)).json as { models: unknown[] }).models).toHaveLength(1);
    expect((await get(`${running.url}/metrics`)).text).toMatch(/^gteway_texts_total\{model="ranker"\} \d/m);
  });

  test('a server of rerankers alone has nothing to embed with', async () => {
    const alone = await startServer({ models: [{ name: 'ranker', model: inject('reranker') }] });
    expect((await post(`${alone.url}/rerank`, { query, texts })).status).toBe(200);
    expect(await post(`${alone.url}/embed`, { inputs: 'x' })).toMatchObject({
      status: 404,
      json: { error: 'this server has no embedding model, which /embed needs' },
    });
    expect((await get(`${alone.url}/info`)).json).toMatchObject({ model_id: 'ranker' });
  });

  test('a full queue is 429, at once', async () => {
    const full = await startServer({ models: [{ name: 'ranker', model: inject('reranker') }], maxQueue: 2 });
    const many = { query, texts: Array.from({ length: 200 }, (_, i) => `${i} ${'egg '.repeat(300)}`) };
    const first = post(`${full.url}/rerank`, many);
    await expect
      .poll(async () => (await post(`${full.url}/rerank`, { query, texts: ['egg'] })).status, {
        interval: 1,
        timeout: 20_000,
      })
      .toBe(429);
    expect((await first).status).toBe(200);
  });
});
