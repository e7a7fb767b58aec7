/** `topK`: what it finds is what a loop over all rows finds, to the bit, whichever way it runs. */
import { Worker } from 'node:worker_threads';
import { beforeAll, describe, expect, test } from 'vitest';
import { type BitMatrix, Embeddings, type Hit, type Int8Matrix, type Matrix, topK } from '../../lib/index.js';
import { buildLibrary, root } from '../built-library.js';

beforeAll(buildLibrary);

/** A generator of [-1, 1) that gives the same values everywhere. */
function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  };
}

/** Rows with every kind that is special among them: equal ones, zeros, NaN, infinities. */
function specialRows(rows: number, dimensions: number, seed: number): Embeddings {
  const next = generator(seed);
  const data = Float32Array.from({ length: rows * dimensions }, next);
  for (let row = 0; row < rows; row++) {
    const values = data.subarray(row * dimensions, (row + 1) * dimensions);
    if (row % 7 === 3) values.fill(0);
    if (row % 5 === 4) values.set(data.subarray(0, dimensions));
    if (row % 13 === 6) values[row % dimensions] = NaN;
    if (row % 17 === 9) values[row % dimensions] = -Infinity;
  }
  return new Embeddings(data, dimensions, new Uint32Array(rows), new Array<boolean>(rows).fill(false));
}

function vectors(count: number, dimensions: number, seed: number): Float32Array[] {
  const next = generator(seed);
  return Array.from({ length: count }, () => Float32Array.from({ length: dimensions }, next));
}

const int8Form = (from: Embeddings): Int8Matrix => ({ ...shape(from), data: from.toInt8() });
const bitForm = (from: Embeddings): BitMatrix => ({ ...shape(from), data: from.toBits() });
const shape = ({ rows, dimensions }: Matrix): { rows: number; dimensions: number } => ({ rows, dimensions });

function oneRow(vector: Float32Array): Embeddings {
  return new Embeddings(vector, vector.length, Uint32Array.of(1), [false]);
}

/** The sum of products in the order that the kernels' contract fixes: 32 partial sums, halved. */
function sumOfProducts(a: ArrayLike<number>, b: ArrayLike<number>): number {
  const partial = new Array<number>(32).fill(0);
  for (let i = 0; i < a.length; i++) partial[i % 32] = (partial[i % 32] ?? NaN) + (a[i] ?? NaN) * (b[i] ?? NaN);
  for (let half = 16; half >= 1; half /= 2) {
    for (let j = 0; j < half; j++) partial[j] = (partial[j] ?? NaN) + (partial[j + half] ?? NaN);
  }
  return partial[0] ?? NaN;
}

function cosine(a: ArrayLike<number>, b: ArrayLike<number>): number {
  const squares = sumOfProducts(a, a) * sumOfProducts(b, b);
  return squares === 0 ? 0 : sumOfProducts(a, b) / Math.sqrt(squares);
}

function sameSigns(a: Uint8Array, b: Uint8Array, dimensions: number): number {
  let distance = 0;
  for (let d = 0; d < dimensions; d++) distance += (((a[d >> 3] ?? 0) ^ (b[d >> 3] ?? 0)) >> (7 - (d % 8))) & 1;
  return 1 - (2 * distance) / dimensions;
}

/** Sorting everything, stably. */
function best(scores: number[], k: number): Hit[] {
  return scores
    .map((score, index) => ({ index, score }))
    .filter(({ score }) => !Number.isNaN(score))
    .sort((a, b) => b.score - a.score)
    .slice(0, k);
}

const rowOf = <T extends Float32Array | Int8Array | Uint8Array>(data: T, row: number, length: number): T =>
  data.subarray(row * length, (row + 1) * length) as T;
const scoresOf = (rows: number, score: (row: number) => number): number[] =>
  Array.from({ length: rows }, (_, row) => score(row));

function naive(query: Float32Array, { data, rows, dimensions }: Matrix | Int8Matrix | BitMatrix, k: number): Hit[] {
  if (data instanceof Float32Array)
    return best(
      scoresOf(rows, (row) => cosine(query, rowOf(data, row, dimensions))),
      k,
    );
  if (data instanceof Int8Array) {
    const asked = oneRow(query).toInt8();
    return best(
      scoresOf(rows, (row) => cosine(asked, rowOf(data, row, dimensions))),
      k,
    );
  }
  const asked = oneRow(query).toBits();
  return best(
    scoresOf(rows, (row) => sameSigns(asked, rowOf(data, row, asked.length), dimensions)),
    k,
  );
}

/** Small ones are answered at once, the last one by threads. */
const shapes = [
  [0, 5],
  [1, 1],
  [40, 9],
  [200, 33],
  [3000, 130],
] as const;

describe.each(shapes)('%i rows of %i dimensions', (rows, dimensions) => {
  const from = specialRows(rows, dimensions, rows + dimensions);
  const queries = [...vectors(2, dimensions, 3), new Float32Array(dimensions)];
  const forms = { float32: from, int8: int8Form(from), bits: bitForm(from) };

  test.each(Object.entries(forms))('%s: the hits of a loop, their scores, ties by the lower index', async (_, form) => {
    for (const k of [1, 7, rows + 5]) {
      const expected = queries.map((query) => naive(query, form, k));
      expect(await topK(queries, form, k)).toEqual(expected);
      for (const [i, query] of queries.entries()) expect(await topK(query, form, k)).toEqual(expected[i]);
    }
  });

  test('int8 and bits scored again: the best of the candidates by their own rows', async () => {
    for (const form of [forms.int8, forms.bits]) {
      for (const [k, candidates] of [
        [2, 2],
        [3, 20],
        [5, rows + 5],
      ] as const) {
        const expected = queries.map((query) => {
          const places = new Set(naive(query, form, candidates).map(({ index }) => index));
          return naive(query, from, rows)
            .filter(({ index }) => places.has(index))
            .slice(0, k);
        });
        expect(await topK(queries, form, k, { rescore: from, candidates })).toEqual(expected);
      }
    }
  });

  test('rows in shared memory, and queries as a matrix, give the same', async () => {
    const data = new Float32Array(new SharedArrayBuffer(from.data.byteLength));
    data.set(from.data);
    const asMatrix = { data: Float32Array.from(queries.flatMap((query) => [...query])), rows: 3, dimensions };
    expect(await topK(asMatrix, { ...shape(from), data }, 4)).toEqual(await topK(queries, from, 4));
  });
});

test('scoring every row again is the search of the rows themselves', async () => {
  const from = specialRows(700, 65, 1);
  const [query = new Float32Array()] = vectors(1, 65, 8);
  const expected = await topK(query, from, 10);
  for (const form of [int8Form(from), bitForm(from)])
    expect(await topK(query, form, 10, { rescore: from, candidates: 700 })).toEqual(expected);
});

test('a list of no queries has no results, plain arrays and subclasses of typed arrays are vectors', async () => {
  const from = specialRows(5, 2, 1);
  expect(await topK([], from, 3)).toEqual([]);
  expect(await topK([1, 2], from, 3)).toEqual(await topK(Float64Array.of(1, 2), from, 3));
  expect(await topK([[1, 2]], { ...shape(from), data: Buffer.from(from.toBits()) }, 1)).toHaveLength(1);
});

test('what happens to the buffers of a large search meanwhile changes nothing', async () => {
  const from = specialRows(6000, 130, 2);
  const [query = new Float32Array()] = vectors(1, 130, 8);
  const expected = naive(query, from, 5);
  const detached = { ...shape(from), data: from.data.slice() };
  const asked = query.slice();
  const found = topK(asked, detached, 5);
  structuredClone(detached.data.buffer, { transfer: [detached.data.buffer] });
  asked.fill(0);
  expect(detached.data.length).toBe(0);
  expect(await found).toEqual(expected);
});

test('rows for scoring again that are detached meanwhile are an error, not a crash', async () => {
  const from = specialRows(60_000, 130, 2);
  const rescore = { ...shape(from), data: from.data.slice() };
  const found = topK(new Float32Array(130).fill(1), int8Form(from), 5, { rescore });
  structuredClone(rescore.data.buffer, { transfer: [rescore.data.buffer] });
  await expect(found).rejects.toThrow('detached or resized');
});

test('many searches at a time each get their own result', async () => {
  const from = specialRows(3000, 130, 4);
  const queries = vectors(40, 130, 9);
  const results = await Promise.all(queries.map((query) => topK(query, from, 3)));
  for (const [i, query] of queries.entries()) expect(results[i]).toEqual(naive(query, from, 3));
});

test('a worker that is ended during searches of shared rows ends, and the rows are still there', async () => {
  const data = new Float32Array(new SharedArrayBuffer(4 * 40_000 * 128)).fill(1);
  const code = `
    const { topK } = await import(${JSON.stringify(new URL('dist/index.js', `file://${root}/`).href)});
    const { parentPort, workerData } = await import('node:worker_threads');
    const rows = { data: workerData, rows: 40_000, dimensions: 128 };
    for (let i = 0; i < 50; i++) void topK(new Float32Array(128).fill(1), rows, 3);
    parentPort.postMessage('searching');`;
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(code)}`), { workerData: data });
  await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
  await worker.terminate();
  expect(await topK(data.subarray(0, 128), { data, rows: 40_000, dimensions: 128 }, 2)).toMatchObject([
    { index: 0 },
    { index: 1 },
  ]);
});

describe('refuses', () => {
  const rows = specialRows(4, 3, 1);
  const untyped = topK as (...values: unknown[]) => Promise<unknown>;
  test.each([
    [[[1, 2], rows, 1], RangeError, 'a query has 2 dimensions and the rows 3'],
    [[[1, 2, NaN], rows, 1], RangeError, 'value 2 of query 0 is NaN'],
    [
      [
        [
          [1, 2, 3],
          [1, 1e39, 3],
        ],
        rows,
        1,
      ],
      RangeError,
      'value 1 of query 1 is Infinity',
    ],
    [['text', rows, 1], TypeError, "not 'text'"],
    [[undefined, rows, 1], TypeError, 'undefined'],
    [[[[1, 2, 3], null], rows, 1], TypeError, 'query 1 must be a list of numbers, not null'],
    [[int8Form(rows), rows, 1], TypeError, 'queries must be float32'],
    [[[1, 2, 3], rows, 0], RangeError, 'k must be an integer of at least 1, not 0'],
    [[[1, 2, 3], rows, 1.5], RangeError, 'k must'],
    [[[1, 2, 3], rows.data, 1], TypeError, 'embeddings must be { data, rows, dimensions }'],
    [[[1, 2, 3], null, 1], TypeError, 'not null'],
    [[[1, 2, 3], { data: new Float64Array(3), rows: 1, dimensions: 3 }, 1], TypeError, 'embeddings must be'],
    [[[1, 2, 3], { ...bitForm(rows), rows: 5 }, 1], RangeError, 'has 4 bytes, not the 5 of 5 rows of 3 dimensions'],
    [[[], { data: new Float32Array(0), rows: 0, dimensions: 0 }, 1], RangeError, 'dimensions from 1'],
    [[[1, 2, 3], rows, 1, { rescor: rows }], TypeError, "did you mean 'rescore'?"],
    [[[1, 2, 3], rows, 1, { rescore: rows }], TypeError, 'leave rescore out'],
    [[[1, 2, 3], int8Form(rows), 1, { candidates: 4 }], TypeError, 'give rescore'],
    [
      [[1, 2, 3], int8Form(rows), 3, { rescore: rows, candidates: 2 }],
      RangeError,
      'candidates must be an integer of at least 3',
    ],
    [[[1, 2, 3], int8Form(rows), 3, { rescore: specialRows(5, 3, 1) }], RangeError, 'forms of the same rows'],
    [[[1, 2, 3], int8Form(rows), 3, { rescore: int8Form(rows) }], TypeError, 'rescore must be float32 rows'],
  ])('%#: %j', async (values, type, message) => {
    const found = untyped(...values);
    await expect(found).rejects.toThrow(message);
    await expect(found).rejects.toThrow(type);
  });
});
