import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { type Embeddings, Session } from '../../lib/index.js';

let session: Session;
beforeAll(async () => {
  session = await Session.load(inject('fixture'));
});
afterAll(async () => session.close());

const long = Array.from({ length: 60 }, (_, i) => `Sentence number ${i} says a little about cats and dogs.`).join(' ');

/** What `per: 'document'` should be, from the rows of the chunks. */
function mean(rows: Embeddings, members: readonly number[], normalize: boolean): number[] {
  const sum = new Array<number>(rows.dimensions).fill(0);
  let tokens = 0;
  for (const i of members) {
    tokens += rows.tokens[i] ?? 0;
    rows.at(i).forEach((value, d) => (sum[d] = (sum[d] ?? 0) + (rows.tokens[i] ?? 0) * value));
  }
  const length = Math.sqrt(sum.reduce((total, value) => total + value * value, 0));
  return sum.map((value) => value / (normalize ? length : tokens));
}

describe('session.embedDocument', () => {
  test('gives a row for each chunk, the one that embed gives for its text', async () => {
    const options = { maxTokens: 64, overlap: 8 };
    const { chunks, embeddings } = await session.embedDocument(long, options);
    expect(chunks.length).toBeGreaterThan(8);
    expect(chunks.map(({ text, start, end }) => text === long.slice(start, end))).not.toContain(false);
    expect(embeddings.rows).toBe(chunks.length);
    expect(Array.from(embeddings.tokens)).toEqual(chunks.map(({ tokens }) => tokens));
    expect(embeddings.truncated).not.toContain(true);
    const alone = await session.embed(chunks.map(({ text }) => text));
    expect(embeddings.data).toEqual(alone.data);
  });

  test('of several texts says which each chunk is of', async () => {
    const { chunks, embeddings } = await session.embedDocument(['One.', '', long], { maxTokens: 64 });
    expect(embeddings.rows).toBe(chunks.length);
    expect(new Set(chunks.map(({ document }) => document))).toEqual(new Set([0, 2]));
    expect(chunks[1]).toMatchObject({ document: 2, start: 0 });
  });

  test("per: 'document' is the mean of the chunks' rows by their tokens", async () => {
    const texts = [long, 'One.', '', `${long}\n\n${long}`];
    for (const normalize of [true, false]) {
      const options = { maxTokens: 50, normalize, dimensions: 32 };
      const whole = await session.embedDocument(texts, { ...options, per: 'document' });
      const { chunks, embeddings } = await session.embedDocument(texts, options);
      expect([whole.embeddings.rows, whole.embeddings.dimensions, whole.chunks.length]).toEqual([4, 32, chunks.length]);
      for (const document of [0, 1, 3]) {
        const members = [...chunks.keys()].filter((i) => chunks[i]?.document === document);
        const expected = mean(embeddings, members, normalize);
        whole.embeddings.at(document).forEach((value, d) => expect(value).toBeCloseTo(expected[d] ?? NaN, 5));
      }
      const empty = await session.embed('', { normalize, dimensions: 32 });
      whole.embeddings.at(2).forEach((value, d) => expect(value).toBeCloseTo(empty.data[d] ?? NaN, 5));
    }
  });

  test('leaves room for a prompt, which comes before each chunk', async () => {
    const prompt = { text: 'passage: one two three: ' };
    const { chunks, embeddings } = await session.embedDocument(long.repeat(3), { prompt });
    expect(chunks.length).toBeGreaterThan(1);
    const alone = await session.embed(
      chunks.map(({ text }) => prompt.text + text),
      { truncate: false },
    );
    expect(embeddings.data).toEqual(alone.data);
  });

  test('no texts give no rows', async () => {
    for (const per of ['chunk', 'document'] as const) {
      const { chunks, embeddings } = await session.embedDocument([], { per });
      expect([chunks, embeddings.rows]).toEqual([[], 0]);
    }
    expect((await session.embedDocument('')).embeddings.rows).toBe(0);
  });

  test('waits for a model that is being loaded', async () => {
    const loading = new Session(inject('fixture'));
    const { chunks } = await loading.embedDocument(long, { maxTokens: 100 });
    expect(chunks.length).toBeGreaterThan(1);
    await loading.close();
    await expect(loading.embedDocument(long)).rejects.toMatchObject({ code: 'ERR_CLOSED' });
  });

  test('ends with its signal', async () => {
    const abort = new AbortController();
    const pending = session.embedDocument(long.repeat(200), { maxTokens: 64, signal: abort.signal });
    abort.abort();
    await expect(pending).rejects.toMatchObject({ code: 'ERR_ABORTED' });
    await expect(session.embedDocument(long, { signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: 'ERR_ABORTED',
    });
  });

  test.each<[object, RegExp]>([
    [{ maxTokens: 100_000 }, /maxTokens is 100000, more than the \d+ that the model takes/],
    [{ pooling: 'none' }, /pooling 'none' gives no vector of a chunk/],
    [{ per: 'page' }, /per must be 'chunk' or 'document', not 'page'/],
    [{ truncate: true }, /unknown option 'truncate'/],
    [{ overlap: 1e6 }, /session.embedDocument\(\): overlap is 1000000, more than half/],
    [{ dimensions: 0 }, /dimensions must be a whole number from 1/],
  ])('refuses %j', async (options, message) => {
    await expect(session.embedDocument(long, options)).rejects.toThrow(message);
  });

  test('is for embedding models', async () => {
    const llm = new Session('phi3');
    await expect(llm.embedDocument('text')).rejects.toThrow(/session.embedDocument\(\) is for embedding models/);
    await llm.close();
  });
});
