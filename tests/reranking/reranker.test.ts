/** `Reranker`: scores, order, what is refused, and the life of one. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tracingChannel } from 'node:diagnostics_channel';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, inject, test } from 'vitest';
import { Reranker, type RerankTrace, Session } from '../../lib/index.js';
import { writeReranker } from '../fixtures/reranker.js';

const folder = mkdtempSync(join(tmpdir(), 'gteway-rerank-'));
afterAll(() => rmSync(folder, { recursive: true }));

const query = 'how do I cook an egg?';
const texts = ['the egg is cooked in water', 'a train to the sea', 'the egg', 'the egg is cooked in water', ''];

async function open(options: ConstructorParameters<typeof Reranker>[1] = {}): Promise<Reranker> {
  return Reranker.load(inject('reranker'), { threads: 2, ...options });
}

function logistic(logit: number): number {
  return 1 / (1 + Math.exp(-logit));
}

describe('scores', () => {
  test('are those of each pair alone, in any company', async () => {
    await using reranker = await open();
    const alone: number[] = [];
    for (const text of texts) alone.push((await reranker.score([[query, text]], { activation: 'none' }))[0] ?? NaN);
    const together = await reranker.score(
      texts.map((text) => [query, text]),
      { activation: 'none' },
    );
    expect(together).toHaveLength(texts.length);
    for (const [i, score] of together.entries()) expect(score).toBeCloseTo(alone[i] ?? NaN, 5);
    expect(new Set(together).size).toBe(4);
  });

  test('depend on which text is the query', async () => {
    await using reranker = await open();
    const [there = NaN, back = NaN] = await reranker.score([
      ['the egg', 'a train'],
      ['a train', 'the egg'],
    ]);
    expect(there).not.toBe(back);
  });

  test('are put through a sigmoid unless raw ones are asked for, or the model says otherwise', async () => {
    await using reranker = await open();
    expect(reranker.info.activation).toBe('sigmoid');
    const [score = NaN] = await reranker.score([[query, 'the egg']]);
    const [raw = NaN] = await reranker.score([[query, 'the egg']], { activation: 'none' });
    expect(score).toBeCloseTo(logistic(raw), 6);

    for (const [name, config] of Object.entries({
      old: { sbert_ce_default_activation_function: 'torch.nn.modules.linear.Identity' },
      new: { sentence_transformers: { activation_fn: 'torch.nn.modules.linear.Identity' } },
    })) {
      const directory = join(folder, name);
      await writeReranker(directory, { config });
      await using other = await Reranker.load(directory, { threads: 1 });
      expect(other.info.activation).toBe('none');
      expect((await other.score([[query, 'the egg']]))[0]).toBeCloseTo(raw, 5);
      expect((await other.score([[query, 'the egg']], { activation: 'sigmoid' }))[0]).toBeCloseTo(score, 5);
    }
  });

  test('of thousands of pairs of many queries come in their order, slice by slice', async () => {
    await using reranker = await open();
    const pairs = Array.from({ length: 2500 }, (_, i) => [`egg ${i % 7}`, `the train ${i % 11}`] as const);
    const scores = await reranker.score(pairs);
    for (const i of [0, 1023, 1024, 1025, 2499]) {
      const [alone = NaN] = await reranker.score([pairs[i] ?? ['', '']]);
      expect(scores[i]).toBeCloseTo(alone, 5);
    }
    expect(reranker.stats().texts.completed).toBe(2505);
  });

  test('of nothing are none', async () => {
    await using reranker = await open();
    expect(await reranker.score([])).toHaveLength(0);
    expect(await reranker.rerank(query, [])).toEqual([]);
  });

  test('are cached by query and text together', async () => {
    await using reranker = await open({ cache: { maxBytes: 1 << 20 } });
    const first = await reranker.score([
      ['egg', 'the train'],
      ['eg', 'gthe train'],
    ]);
    const again = await reranker.score([
      ['egg', 'the train'],
      ['eg', 'gthe train'],
    ]);
    expect(again).toEqual(first);
    expect(reranker.stats().cache).toMatchObject({ hits: 2, misses: 2, entries: 2 });
  });
});

describe('the order', () => {
  test('is by score, and of equal scores the first comes first', async () => {
    await using reranker = await open();
    const scores = await reranker.score(texts.map((text) => [query, text] as const));
    const results = await reranker.rerank(query, texts);
    expect(results.map(({ index }) => index).sort()).toEqual([0, 1, 2, 3, 4]);
    for (const { index, score } of results) expect(score).toBe(scores[index]);
    for (const [i, { score }] of results.entries())
      expect(score).toBeLessThanOrEqual(results[i - 1]?.score ?? Infinity);
    const twins = results.filter(({ index }) => index === 0 || index === 3);
    expect(twins.map(({ index }) => index)).toEqual([0, 3]);
    expect(results[0]).not.toHaveProperty('text');
  });

  test('ends after topK, with the texts where they are asked for', async () => {
    await using reranker = await open();
    const all = await reranker.rerank(query, texts);
    const best = await reranker.rerank(query, texts, { topK: 2, returnTexts: true });
    expect(best).toEqual(all.slice(0, 2).map((result) => ({ ...result, text: texts[result.index] })));
  });
});

describe('long texts', () => {
  const long = 'egg '.repeat(600);

  test('are cut, and their query is not', async () => {
    await using reranker = await open();
    const { tokens, truncated } = await reranker.rerankScores(query, [long, 'egg']);
    expect(tokens[0]).toBe(reranker.info.maxTokens);
    expect(truncated).toEqual([true, false]);
    await expect(reranker.rerank(query, ['egg', long], { truncate: false })).rejects.toMatchObject({
      code: 'ERR_TEXT_TOO_LONG',
      message: expect.stringMatching(/^text 1: with its query it has more than 512 tokens/) as string,
      details: { index: 1 },
    });
  });

  test('a query that leaves them no room is an error, not a score that all of them would have', async () => {
    await using reranker = await open();
    await expect(reranker.rerank(long, ['egg', 'train'])).rejects.toMatchObject({
      code: 'ERR_TEXT_TOO_LONG',
      message: expect.stringContaining('Shorten the query') as string,
    });
  });
});

describe('a reranker', () => {
  test('tells what runs, and counts', async () => {
    await using reranker = await open();
    expect(reranker.info).toMatchObject({ model: inject('reranker'), maxTokens: 512, device: 'cpu' });
    expect(['encoder', 'ort']).toContain(reranker.info.engine);
    await reranker.rerank(query, texts);
    expect(reranker.stats()).toMatchObject({ calls: { completed: 1 }, texts: { completed: 5, coalesced: 1 } });
  });

  test('answers calls made while it loads, and refuses those after its end', async () => {
    const reranker = new Reranker(inject('reranker'), { threads: 1 });
    expect(() => reranker.info).toThrow(/await reranker.ready\(\) first/);
    expect(await reranker.rerank(query, texts)).toHaveLength(5);
    await reranker.close();
    await expect(reranker.rerank(query, texts)).rejects.toMatchObject({ code: 'ERR_CLOSED' });
    await expect(reranker.ready()).rejects.toMatchObject({ code: 'ERR_CLOSED', message: 'the reranker is closed' });
  });

  test('refuses a call that finds the queue full', async () => {
    await using reranker = new Reranker(inject('reranker'), { threads: 1, maxQueue: 4 });
    const first = reranker.rerank(query, texts);
    await expect(reranker.rerank(query, texts)).rejects.toMatchObject({ code: 'ERR_OVERLOADED' });
    expect(await first).toHaveLength(5);
    expect(reranker.stats().calls.rejected).toBe(1);
  });

  test('drops a call whose signal fires or whose time is over', async () => {
    await using reranker = await open();
    await expect(reranker.rerank(query, texts, { signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: 'ERR_ABORTED',
    });
    const abort = new AbortController();
    const many = Array.from({ length: 2000 }, (_, i) => `egg ${i}`);
    const dropped = reranker.rerank(query, many, { signal: abort.signal });
    abort.abort();
    await expect(dropped).rejects.toMatchObject({ code: 'ERR_ABORTED' });
    await expect(reranker.rerank(query, many, { timeout: 1e-9 })).rejects.toMatchObject({ code: 'ERR_TIMEOUT' });
  });

  test('is traced', async () => {
    const seen: RerankTrace[] = [];
    const channel = tracingChannel<unknown, RerankTrace>('gteway:rerank');
    const subscribers = { asyncEnd: (message: RerankTrace) => void seen.push(message) };
    channel.subscribe(subscribers as never);
    try {
      await using reranker = await open();
      await reranker.rerank(query, ['egg', 'train'], { topK: 1 });
      expect(seen).toMatchObject([{ operation: 'rerank', texts: 2, characters: 8, options: {} }]);
      expect(seen[0]?.result?.scores).toHaveLength(2);
    } finally {
      channel.unsubscribe(subscribers as never);
    }
  });

  test('takes what it says it takes', async () => {
    await using reranker = await open();
    await expect(reranker.rerank(1 as never, texts)).rejects.toThrow('query must be a string, not 1');
    await expect(reranker.rerank(query, 'egg' as never)).rejects.toThrow('texts must be an array of strings');
    await expect(reranker.rerank(query, [1] as never)).rejects.toThrow('texts[0] must be a string');
    await expect(reranker.rerank(query, texts, { topK: 0 })).rejects.toThrow('topK must be a whole number from 1');
    await expect(reranker.rerank(query, texts, { topk: 1 } as never)).rejects.toThrow('topK');
    await expect(reranker.score([['a']] as never)).rejects.toThrow('pairs[0] must be [query, text]');
    await expect(reranker.score([], { topK: 1 } as never)).rejects.toThrow(TypeError);
    await expect(reranker.score([], { activation: 'tanh' as never })).rejects.toThrow("'sigmoid' or 'none'");
    expect(() => new Reranker('ms-marco-minilm-l6-v3')).toThrow("did you mean 'ms-marco-MiniLM-L6-v2'");
    expect(() => new Reranker(inject('reranker'), { thread: 1 } as never)).toThrow('new Reranker()');
  });
});

describe('a model of another kind', () => {
  test('is refused in words that name the class for it', async () => {
    await expect(Reranker.load(inject('fixture'))).rejects.toMatchObject({
      code: 'ERR_MODEL_UNSUPPORTED',
      message: expect.stringContaining('new Session(') as string,
    });
    await expect(Session.load(inject('reranker'))).rejects.toMatchObject({
      code: 'ERR_MODEL_UNSUPPORTED',
      message: expect.stringContaining('new Reranker(') as string,
    });
    // By name, before anything is fetched.
    await expect(Reranker.load('gte-small', { offline: true })).rejects.toThrow('new Session(');
    await expect(Session.load('ms-marco-MiniLM-L12-v2' as 'a/b', { offline: true })).rejects.toThrow('new Reranker(');
  });

  test('also where config.json names no architecture, and only the weights tell', async () => {
    const directory = join(folder, 'nameless');
    await writeReranker(directory, { config: { architectures: undefined } });
    await using reranker = await Reranker.load(directory);
    expect(await reranker.rerank(query, texts)).toHaveLength(5);
    await expect(Session.load(directory)).rejects.toThrow('new Reranker(');
  });

  test('with more than one score for a pair, too', async () => {
    const directory = join(folder, 'classes');
    await writeReranker(directory, { labels: 3 });
    await expect(Reranker.load(directory)).rejects.toMatchObject({
      code: 'ERR_MODEL_UNSUPPORTED',
      details: { labels: 3 },
    });
  });

  test('or whose scores go through something else', async () => {
    const directory = join(folder, 'tanh');
    const config = { sentence_transformers: { activation_fn: 'torch.nn.modules.activation.Tanh' } };
    await writeReranker(directory, { config });
    await expect(Reranker.load(directory)).rejects.toThrow('torch.nn.modules.activation.Tanh');
    expect(readFileSync(join(directory, 'config.json'), 'utf8')).toContain('Tanh');
  });
});
