import { describe, expect, test } from 'vitest';
import { cosineSimilarity, dot, similarityMatrix, type Matrix } from '../../lib/vectors/similarity.js';

function matrix(rows: number[][]): Matrix {
  return { data: Float32Array.from(rows.flat()), rows: rows.length, dimensions: rows[0]?.length ?? 1 };
}

/** Deterministic values between -1 and 1. */
function values(count: number, seed: number): number[] {
  return Array.from({ length: count }, (_, i) => Math.fround(Math.sin(seed * 1000 + i * 1.7)));
}

describe('cosineSimilarity', () => {
  test('is 1 for one direction, 0 for right angles, -1 for opposites, whatever the lengths', () => {
    expect(cosineSimilarity([1, 2, 3], [2, 4, 6])).toBeCloseTo(1, 15);
    expect(cosineSimilarity([1, 0], [0, 5])).toBe(0);
    expect(cosineSimilarity([1, 2], [-3, -6])).toBeCloseTo(-1, 15);
  });

  test('takes arrays, typed arrays and anything with a length, mixed', () => {
    expect(cosineSimilarity([3, 4], Float32Array.of(4, 3))).toBeCloseTo(0.96, 15);
    expect(cosineSimilarity({ length: 2, 0: 3, 1: 4 }, Float64Array.of(4, 3))).toBeCloseTo(0.96, 15);
  });

  test('is 0 where one vector is zero or both are empty', () => {
    expect(cosineSimilarity([0, 0], [1, 2])).toBe(0);
    expect(cosineSimilarity([0, 0], [0, 0])).toBe(0);
    expect(cosineSimilarity([], [])).toBe(0);
  });

  test('survives magnitudes whose squares multiplied would overflow', () => {
    expect(cosineSimilarity([1e100, 0], [1e100, 1e100])).toBeCloseTo(Math.SQRT1_2, 15);
    expect(cosineSimilarity([1e-100, 0], [1e-100, 1e-100])).toBeCloseTo(Math.SQRT1_2, 15);
  });

  test('refuses different lengths with both of them in the message', () => {
    expect(() => cosineSimilarity([1], [1, 2])).toThrow(RangeError);
    expect(() => cosineSimilarity([1], [1, 2])).toThrow('1 and 2');
    expect(() => dot([1, 2, 3], [1, 2])).toThrow(RangeError);
  });

  test('refuses what is not a list', () => {
    const untyped = cosineSimilarity as (a: unknown, b: unknown) => number;
    expect(() => untyped('ab', 'ab')).toThrow(TypeError);
    expect(() => untyped([1], null)).toThrow('null');
    expect(() => untyped(undefined, [1])).toThrow('undefined');
  });
});

test('dot is the sum of products', () => {
  expect(dot([1, 2, 3], [4, 5, 6])).toBe(32);
  expect(dot([], [])).toBe(0);
});

describe('similarityMatrix', () => {
  test('has the cosine of each pair of rows', () => {
    const rowsA = [0, 1, 2].map((seed) => values(385, seed));
    const rowsB = [...[5, 6].map((seed) => values(385, seed)), values(385, 1), new Array<number>(385).fill(0)];
    const { data, rows, columns } = similarityMatrix(matrix(rowsA), matrix(rowsB));
    expect([rows, columns, data.length]).toEqual([3, 4, 12]);
    for (const [i, a] of rowsA.entries()) {
      for (const [j, b] of rowsB.entries()) expect(data[i * 4 + j]).toBeCloseTo(cosineSimilarity(a, b), 6);
    }
    expect(data[1 * 4 + 2]).toBe(1);
    expect(data[3]).toBe(0);
  });

  test('of one argument compares its rows with each other', () => {
    const { data, rows, columns } = similarityMatrix(matrix([values(20, 1), values(20, 2)]));
    expect([rows, columns]).toEqual([2, 2]);
    expect([data[0], data[3]]).toEqual([1, 1]);
    expect(data[1]).toBe(data[2]);
  });

  test('of no rows is empty', () => {
    const none: Matrix = { data: new Float32Array(), rows: 0, dimensions: 3 };
    expect(similarityMatrix(none, matrix([[1, 2, 3]]))).toEqual({ data: new Float32Array(), rows: 0, columns: 1 });
  });

  test('works on a view into a larger buffer', () => {
    const all = Float32Array.of(9, 9, 1, 0, 0, 1);
    const { data } = similarityMatrix({ data: all.subarray(2), rows: 2, dimensions: 2 });
    expect([...data]).toEqual([1, 0, 0, 1]);
  });

  test('of more pairs than an array can have is a RangeError, not the end of the process', () => {
    const tall: Matrix = { data: new Float32Array(200_000), rows: 200_000, dimensions: 1 };
    expect(() => similarityMatrix(tall)).toThrow(RangeError);
  });

  test('refuses different dimensions, a wrong shape, and other kinds of array', () => {
    expect(() => similarityMatrix(matrix([[1, 2]]), matrix([[1, 2, 3]]))).toThrow('2 dimensions and b 3');
    expect(() => similarityMatrix({ data: new Float32Array(5), rows: 2, dimensions: 3 })).toThrow(RangeError);
    expect(() => similarityMatrix({ data: new Float32Array(0), rows: 0, dimensions: 0 })).toThrow(RangeError);
    const data = new Float64Array(2) as unknown as Float32Array;
    expect(() => similarityMatrix({ data, rows: 1, dimensions: 2 })).toThrow(TypeError);
  });
});
