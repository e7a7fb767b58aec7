import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cost, evaluateRetrieval, evaluateSimilarity } from '../../bench/quality/evaluate.mjs';
import { quantizedModel, randomModel } from '../../bench/quality/models.mjs';
import { goals } from '../../bench/quality/report.mjs';
import { meanRows } from '../../bench/quality/retrievers/word-vectors.mjs';
import { readSafetensors } from '../../bench/quality/safetensors.mjs';
import { demoSet, everydaySet, heldOutSets, pairSet } from '../../bench/quality/sets.mjs';
import { writeFixtureModel } from '../../lib/models/fixture/fixture-model.js';
import { fixtureParameters } from '../../lib/models/fixture/parameters.js';
import { demoShape } from '../../lib/models/fixture/shape.js';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'gteway-quality-test-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const close = (): Promise<void> => Promise.resolve();
/** Finds by vectors of two values that a table gives. */
const withVectors = (table: Record<string, readonly [number, number]>) => ({
  embed: (texts: string[]) =>
    Promise.resolve({ data: Float32Array.from(texts.flatMap((text) => table[text] ?? [0, 0])), dimensions: 2 }),
  close,
});

describe('sets', () => {
  test('the everyday list is whole, and answers are places in its corpus', () => {
    const { corpus, queries } = everydaySet();
    expect(corpus).toHaveLength(1000);
    const bread = queries.find(({ text }) => text === 'why does bread rise');
    expect([...(bread?.relevant ?? [])].map((place) => corpus[place])).toEqual([
      'Yeast feeds on sugar and releases gas, which makes the dough swell.',
    ]);
  });

  test('every query of the demo has its answer', () => {
    const { corpus, queries } = demoSet();
    expect(queries.map(({ text, relevant }) => [text, ...[...relevant].map((place) => corpus[place])])).toContainEqual([
      'a planet and its moons',
      'Two moons circle the planet Mars.',
    ]);
    expect(queries.filter(({ relevant }) => relevant.size === 0)).toEqual([]);
  });

  test('pairs: positives once each, a query with all its answers, every n-th query of many', () => {
    const pairs = ['a', 'b', 'c', 'd'].map((query) => ({ query, positive: `of ${query}` }));
    const set = pairSet('pairs', [...pairs, { query: 'a', positive: 'of b' }], 2);
    expect(set.corpus).toEqual(['of a', 'of b', 'of c', 'of d']);
    expect(set.queries).toEqual([
      { text: 'a', relevant: new Set([0, 1]) },
      { text: 'c', relevant: new Set([2]) },
    ]);
  });

  test('a directory of files of both kinds; a file of neither is an error that names it', () => {
    const directory = mkdtempSync(join(folder, 'sets-'));
    expect(heldOutSets(join(directory, 'absent'), 10)).toEqual([]);
    writeFileSync(join(directory, 'b.jsonl'), '{"query":"q","positive":"p"}\n\n');
    writeFileSync(join(directory, 'a.jsonl'), '{"a":"x","b":"y","score":1}\n');
    writeFileSync(join(directory, 'notes.txt'), 'not a set');
    expect(heldOutSets(directory, 10).map(({ name, kind }) => [name, kind])).toEqual([
      ['a', 'similarity'],
      ['b', 'retrieval'],
    ]);
    writeFileSync(join(directory, 'c.jsonl'), '{"query":"q"}\n');
    expect(() => heldOutSets(directory, 10)).toThrow(/c\.jsonl: every line must have/);
    writeFileSync(join(directory, 'c.jsonl'), '{"query":"q","positive":"p"}\nq\n');
    expect(() => heldOutSets(directory, 10)).toThrow(/c\.jsonl, line 2, is not JSON/);
  });
});

describe('evaluation', () => {
  const set = {
    kind: 'retrieval' as const,
    name: 'tiny',
    about: '',
    corpus: ['east', 'north', 'south'],
    queries: [
      { text: 'right', relevant: new Set([0]), lexical: 'none' as const },
      { text: 'down', relevant: new Set([1]), lexical: 'shared' as const },
    ],
  };
  const directions = { east: [1, 0], north: [0, 1], south: [0, -1], right: [2, 0.1], down: [0.1, -3] } as const;

  test('by vectors: the first is found, the second is last of three', async () => {
    const { all, none, shared } = await evaluateRetrieval(withVectors(directions), set);
    expect(all).toEqual({ queries: 2, recall1: 0.5, recall10: 1, ndcg10: 0.75 });
    expect(none).toEqual({ queries: 1, recall1: 1, recall10: 1, ndcg10: 1 });
    expect(shared).toEqual({ queries: 1, recall1: 0, recall10: 1, ndcg10: 0.5 });
  });

  test('by an index of words, where what was not found does not count', async () => {
    const index = () => (query: string) =>
      query === 'right' ? Float64Array.of(1, -Infinity, 2) : Float64Array.of(1, -Infinity, -Infinity);
    const { all, kept } = await evaluateRetrieval({ index, close }, set);
    expect(all.recall1).toBe(0);
    expect(all.recall10).toBe(0.5);
    expect(all.ndcg10).toBeCloseTo(0.63093 / 2, 5);
    expect(kept).toBeUndefined();
  });

  test('the cosines of many queries are those of each', async () => {
    const names = Array.from({ length: 150 }, (_, i) => `at ${i}`);
    const table = Object.fromEntries(names.map((name, i) => [name, [Math.cos(i / 30), Math.sin(i / 30)] as const]));
    const queries = names.map((text, i) => ({ text, relevant: new Set([i]) }));
    const { all } = await evaluateRetrieval(withVectors(table), { ...set, corpus: names, queries });
    expect(all).toEqual({ queries: 150, recall1: 1, recall10: 1, ndcg10: 1 });
  });

  test('similarity is the correlation with what people said', async () => {
    const pairs = [
      { a: 'east', b: 'right', score: 9 },
      { a: 'north', b: 'down', score: 1 },
      { a: 'east', b: 'north', score: 5 },
    ];
    const similar = await evaluateSimilarity(withVectors(directions), {
      kind: 'similarity',
      name: 's',
      about: '',
      pairs,
    });
    expect(similar).toBeCloseTo(1, 12);
  });

  test('a cost: one text turned by half a right angle, and with it the first of one query', () => {
    const queries = { data: Float32Array.of(1, 0, 0, 1), dimensions: 2 };
    const corpus = { data: Float32Array.of(1, 0.1, 0.9, 0.3), dimensions: 2 };
    expect(cost({ corpus, queries }, { corpus, queries })).toMatchObject({
      firstChanged: 0,
      overlap10: 1,
      kendall10: 1,
    });
    const turned = { data: Float32Array.of(0.9, 1.1, 0.9, 0.3), dimensions: 2 };
    const changed = cost({ corpus, queries }, { corpus: turned, queries });
    expect(changed.firstChanged).toBe(2);
    expect(changed.overlap10).toBe(1);
    expect(changed.kendall10).toBe(-1);
    // (0.9 + 0.11) / (√1.01 · √2.02) of one vector in four; the others stayed.
    expect(changed.leastCosine).toBeCloseTo(0.70711, 4);
    expect(changed.meanCosine).toBeCloseTo((3 + 0.70711) / 4, 4);
  });

  test('goals: the everyday list by itself, the others beside BM25', () => {
    const scores = (recall1: number, ndcg10: number) => ({ queries: 1, recall1, recall10: 1, ndcg10 });
    const results = [
      { retriever: 'BM25', set: 'everyday', all: scores(0.4, 0.4) },
      { retriever: 'BM25', set: 'pairs', all: scores(0.4, 0.4) },
      { retriever: 'mini', set: 'everyday', all: scores(0.84, 0.9) },
      { retriever: 'mini', set: 'pairs', all: scores(0.4, 0.6) },
    ];
    expect(goals(results, 'mini').map(({ met }) => met)).toEqual([false, true]);
    expect(goals(results, 'absent')).toEqual([]);
  });
});

describe('models', () => {
  test('word vectors are averaged over tokens', () => {
    const table = Float32Array.of(0, 0, 1, 2, 3, 6);
    expect([...meanRows(table, 2, [Int32Array.of(1, 2), Int32Array.of(), Int32Array.of(2)])]).toEqual([
      2, 4, 0, 0, 3, 6,
    ]);
  });

  test('safetensors of three precisions are read', () => {
    const header = {
      __metadata__: { format: 'pt' },
      single: { dtype: 'F32', shape: [2], data_offsets: [0, 8] },
      half: { dtype: 'F16', shape: [1, 4], data_offsets: [8, 16] },
      brain: { dtype: 'BF16', shape: [2], data_offsets: [16, 20] },
    };
    const json = Buffer.from(JSON.stringify(header));
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(json.length));
    const body = Buffer.alloc(20);
    body.writeFloatLE(1.5, 0);
    body.writeFloatLE(-0.1, 4);
    // 1, −2, the smallest subnormal, 65504
    for (const [i, bits] of [0x3c00, 0xc000, 0x0001, 0x7bff].entries()) body.writeUInt16LE(bits, 8 + 2 * i);
    for (const [i, bits] of [0x3f80, 0xc040].entries()) body.writeUInt16LE(bits, 16 + 2 * i);
    const path = join(folder, 'three.safetensors');
    writeFileSync(path, Buffer.concat([length, json, body]));
    const tensors = readSafetensors(path);
    expect([...(tensors.get('single')?.values ?? [])]).toEqual([1.5, Math.fround(-0.1)]);
    expect([...(tensors.get('half')?.values ?? [])]).toEqual([1, -2, 2 ** -24, 65504]);
    expect(tensors.get('half')?.dims).toEqual([1, 4]);
    expect([...(tensors.get('brain')?.values ?? [])]).toEqual([1, -3]);
  });

  test('what gteway writes as safetensors is read as it was', async () => {
    const model = join(folder, 'model');
    await writeFixtureModel(model);
    const tensors = readSafetensors(join(model, 'model.safetensors'));
    const expected = fixtureParameters(demoShape);
    expect([...tensors.keys()]).toEqual([...expected.keys()]);
    const name = 'embeddings.word_embeddings.weight';
    expect(tensors.get(name)?.values).toEqual(expected.get(name)?.values);
  });

  test('a model without an int8 graph gets the one that its weights make', async () => {
    const model = join(folder, 'without-int8');
    await writeFixtureModel(model);
    const int8 = join(model, 'onnx/model_quantized.onnx');
    expect(await quantizedModel(model)).toMatchObject({ directory: model, made: false });
    const expected = readFileSync(int8);
    rmSync(int8);
    const { directory, made, remove } = await quantizedModel(model);
    expect(made).toBe(true);
    expect(readFileSync(join(directory, 'onnx/model_quantized.onnx')).equals(expected)).toBe(true);
    remove();
    expect(existsSync(directory)).toBe(false);
  });

  test('random weights have the shape of the model that is judged', async () => {
    const model = join(folder, 'shaped');
    const shape = { ...demoShape, layers: 1, hidden: 32, heads: 2, intermediate: 64 };
    await writeFixtureModel(model, shape);
    const random = await randomModel(model);
    expect(readFileSync(join(random, 'config.json'), 'utf8')).toBe(readFileSync(join(model, 'config.json'), 'utf8'));
  });
});

// Installed by the first run of the bench only, into bench/.
const library = new URL('../../bench/node_modules/minisearch/package.json', import.meta.url);
describe.skipIf(!existsSync(library))('BM25 (needs bench/node_modules: any npm run bench installs it)', () => {
  test('gives the scores that the formula gives by hand', async () => {
    const module = '../../bench/quality/retrievers/bm25.mjs';
    const { bm25 } = (await import(/* @vite-ignore */ module)) as {
      bm25: { load: () => Promise<{ index: (corpus: string[]) => (query: string) => Float64Array }> };
    };
    const ask = (await bm25.load()).index(['Red wine stains.', 'white wine', 'blue sky']);
    // ln(1 + 1.5 / 2.5) · 2.2 / (1 + 1.2 · (0.25 + 0.75 · length / (7 / 3))); of "stain" ln(1 + 2.5 / 1.5)
    const [long = NaN, short = NaN, other = NaN] = ask('wines');
    expect(long).toBeCloseTo(0.42082, 4);
    expect(short).toBeCloseTo(0.49918, 4);
    expect(other).toBe(-Infinity);
    expect(ask('wine STAIN')[0]).toBeCloseTo(1.29901, 4);
  });
});
