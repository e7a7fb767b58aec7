/** `gteway/ai` under the Vercel AI SDK itself. */
import { embed, embedMany, rerank, wrapEmbeddingModel } from 'ai';
import { afterAll, beforeAll, describe, expect, inject, test, vi } from 'vitest';
import { GtewayEmbeddingModel, GtewayRerankingModel } from '../../lib/adapters/ai.js';
import { Reranker, Session } from '../../lib/index.js';

const texts = [
  'A small dog runs after the ball in the park.',
  'Knead the dough until it is smooth, then let it rise.',
  'Two moons circle the planet Mars.',
];
const long = 'word '.repeat(700);

// The SDK prints the warnings that the results carry as well.
vi.stubGlobal('AI_SDK_LOG_WARNINGS', false);

let session: Session<'gteway-mini'>;
beforeAll(async () => {
  session = await Session.load('gteway-mini', { threads: 2 });
});
afterAll(() => session.close());

describe('embedding', () => {
  test('embedMany gives the session’s vectors and counts its tokens', async () => {
    const model = new GtewayEmbeddingModel(session);
    const { embeddings, usage, warnings } = await embedMany({ model, values: texts });
    const expected = await session.embed(texts);
    expect(embeddings).toEqual(Array.from(expected, (row) => Array.from(row)));
    expect(usage.tokens).toBe(expected.tokens.reduce((sum, count) => sum + count, 0));
    expect(warnings).toEqual([]);
    expect([model.provider, model.modelId]).toEqual(['gteway', 'gteway-mini']);
  });

  test('ten thousand values are one call', async () => {
    const model = new GtewayEmbeddingModel(session);
    const doEmbed = vi.spyOn(model, 'doEmbed');
    const { embeddings } = await embedMany({
      model,
      values: Array.from({ length: 10_000 }, (_, i) => `word ${i % 7}`),
    });
    expect(embeddings).toHaveLength(10_000);
    expect(embeddings[7]).toEqual(embeddings[0]);
    expect(doEmbed).toHaveBeenCalledTimes(1);
  });

  test('a query finds its sentence, through the SDK’s middleware too', async () => {
    const model = new GtewayEmbeddingModel(session);
    const { embeddings } = await embedMany({ model, values: texts });
    const { embedding } = await embed({
      model: wrapEmbeddingModel({ model, middleware: {} }),
      value: 'how to bake bread',
    });
    const scores = embeddings.map((row) => row.reduce((sum, value, i) => sum + value * (embedding[i] ?? NaN), 0));
    expect(scores.indexOf(Math.max(...scores))).toBe(1);
  });

  test('options of the model and of a call reach the session', async () => {
    const model = new GtewayEmbeddingModel(session, { embed: { prompt: { text: 'query: ' }, normalize: false } });
    const value = 'a young dog';
    const rowOf = async (options: Parameters<Session['embed']>[1]): Promise<number[]> =>
      Array.from((await session.embed(value, options)).at(0));
    expect((await embed({ model, value })).embedding).toEqual(
      await rowOf({ prompt: { text: 'query: ' }, normalize: false }),
    );
    const providerOptions = { gteway: { prompt: { text: 'passage: ' }, dimensions: 64 } };
    expect((await embed({ model, value, providerOptions })).embedding).toEqual(
      await rowOf({ prompt: { text: 'passage: ' }, normalize: false, dimensions: 64 }),
    );
    const { embeddings } = await model.doEmbed({ values: [value], dimensions: 32 });
    expect(embeddings[0]).toHaveLength(32);
  });

  test('warns of what was cut and of headers', async () => {
    const model = new GtewayEmbeddingModel(session);
    const { warnings } = await embedMany({ model, values: ['short', long], headers: { 'x-team': 'search' } });
    expect(warnings).toEqual([
      { type: 'unsupported', feature: 'headers', details: expect.stringContaining('x-team') as string },
      { type: 'other', message: expect.stringMatching(/^1 of 2 values were .* by their places: 1\./) as string },
    ]);
  });

  test('fails as the session does, without retrying', async () => {
    const model = new GtewayEmbeddingModel(session, { embed: { truncate: false } });
    const doEmbed = vi.spyOn(model, 'doEmbed');
    await expect(embed({ model, value: long })).rejects.toMatchObject({ code: 'ERR_TEXT_TOO_LONG' });
    expect(doEmbed).toHaveBeenCalledTimes(1);
    await expect(embed({ model, value: 'x', providerOptions: { gteway: { dimension: 8 } } })).rejects.toThrow(
      "providerOptions.gteway: unknown option 'dimension'; did you mean 'dimensions'?",
    );
    await expect(embed({ model, value: 'x', providerOptions: { gteway: { pooling: 'none' } } })).rejects.toThrow(
      /pooling 'none' gives a vector per token/,
    );
  });

  test('is cancelled by the SDK’s signal', async () => {
    const model = new GtewayEmbeddingModel(session);
    const abort = new AbortController();
    const cancelled = model.doEmbed({ values: Array<string>(2000).fill(long), abortSignal: abort.signal });
    abort.abort();
    await expect(cancelled).rejects.toMatchObject({ code: 'ERR_ABORTED' });
    await expect(embed({ model, value: 'x', abortSignal: abort.signal })).rejects.toThrow();
  });

  test('closes what it opened and leaves open what it was lent', async () => {
    const own = new GtewayEmbeddingModel('gteway-mini', { open: { threads: 1, dtype: 'fp32' } });
    expect((await embed({ model: own, value: 'x' })).embedding).toHaveLength(224);
    await own.close();
    await expect(embed({ model: own, value: 'x' })).rejects.toMatchObject({ code: 'ERR_CLOSED' });
    await new GtewayEmbeddingModel(session).close();
    expect((await session.embed('x')).rows).toBe(1);
  });

  test('refuses what can be no embedding model, and options that are none', () => {
    expect(() => new GtewayEmbeddingModel('gte-smal')).toThrow(/is a language model; did you mean .*'gte-small'/);
    expect(() => new GtewayEmbeddingModel({} as unknown as Session)).toThrow(
      'new GtewayEmbeddingModel(): model must be a name or a Session of this package, not an object',
    );
    expect(() => new GtewayEmbeddingModel(session, { open: { threads: 1 } })).toThrow(/this Session is open already/);
    expect(() => new GtewayEmbeddingModel(session, { embed: { onError: 'continue' } as object })).toThrow(
      /embed: unknown option 'onError'/,
    );
    expect(() => new GtewayEmbeddingModel(session, { embed: { dimensions: 0 } })).toThrow(RangeError);
    expect(() => new GtewayEmbeddingModel('gteway-mini', { open: { dtype: 'int9' } as object })).toThrow(RangeError);
  });
});

describe('reranking', () => {
  const query = 'how do I cook an egg?';
  const documents = ['the egg is cooked in water', 'a train to the sea', 'the egg'];

  test('rerank gives the reranker’s order and scores', async () => {
    await using reranker = await Reranker.load(inject('reranker'), { threads: 1 });
    const model = new GtewayRerankingModel(reranker);
    const { ranking } = await rerank({ model, query, documents, topN: 2 });
    const expected = await reranker.rerank(query, documents, { topK: 2 });
    expect(
      ranking.map(({ originalIndex, score, document }) => ({ index: originalIndex, score, text: document })),
    ).toEqual(expected.map(({ index, score }) => ({ index, score, text: documents[index] })));
    await model.close();
    expect(await reranker.rerank(query, documents)).toHaveLength(3);
  });

  test('objects are compared as their JSON, and it says so', async () => {
    await using model = new GtewayRerankingModel(inject('reranker'), {
      open: { threads: 1 },
      rerank: { activation: 'none' },
    });
    const values = documents.map((title, id) => ({ id, title }));
    const { ranking, warnings } = await model.doRerank({ documents: { type: 'object', values }, query });
    await using reranker = await Reranker.load(inject('reranker'), { threads: 1 });
    const json = values.map((value) => JSON.stringify(value));
    const expected = await reranker.rerank(query, json, { activation: 'none' });
    expect(ranking).toEqual(expected.map(({ index, score }) => ({ index, relevanceScore: score })));
    expect(warnings).toMatchObject([{ type: 'compatibility' }]);
    const sdk = await rerank({
      model,
      query,
      documents: values,
      providerOptions: { gteway: { activation: 'sigmoid' } },
    });
    expect(sdk.ranking.map(({ document }) => document.id)).toEqual(ranking.map(({ index }) => index));
    expect(sdk.ranking.every(({ score }) => score > 0 && score < 1)).toBe(true);
  });

  test('cancels, fails and closes as a reranker does', async () => {
    const model = new GtewayRerankingModel(inject('reranker'), { open: { threads: 1 }, rerank: { truncate: false } });
    await expect(rerank({ model, query, documents: [long] })).rejects.toMatchObject({ code: 'ERR_TEXT_TOO_LONG' });
    const abortSignal = AbortSignal.abort();
    await expect(
      model.doRerank({ documents: { type: 'text', values: documents }, query, abortSignal }),
    ).rejects.toMatchObject({ code: 'ERR_ABORTED' });
    await model.close();
    await expect(rerank({ model, query, documents })).rejects.toMatchObject({ code: 'ERR_CLOSED' });
    expect(() => new GtewayRerankingModel('ms-marco-MiniLM')).toThrow(RangeError);
    expect(() => new GtewayRerankingModel('x/y', { rerank: { topK: 3 } as object })).toThrow(/unknown option 'topK'/);
  });
});
