/** The texts that pgvector's types are read from. tests/runtimes and the examples give them to pgvector itself. */
import { describe, expect, test } from 'vitest';
import { Embeddings } from '../../lib/index.js';
import { randomFrom } from '../documents/hostile-text.js';

function embeddings(...rows: number[][]): Embeddings {
  const dimensions = rows[0]?.length ?? 0;
  return new Embeddings(
    Float32Array.from(rows.flat()),
    dimensions,
    Uint32Array.from(rows, () => 3),
    rows.map(() => false),
  );
}

/** The 16-bit float of these bits, as IEEE 754 defines it. */
function halfOf(bits: number): number {
  const [sign, exponent, fraction] = [bits & 0x8000 ? -1 : 1, (bits >> 10) & 31, bits & 1023];
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15));
}
const halves = Array.from({ length: 0x7c00 }, (_, bits) => halfOf(bits));

describe('toPgVector', () => {
  test('is a row that reads back as the same float32', () => {
    const random = randomFrom(1);
    const values = Array.from({ length: 3000 }, () =>
      Math.fround((random() - 0.5) * 10 ** Math.floor(random() * 60 - 38)),
    );
    const text = embeddings(values).toPgVector(0);
    expect((JSON.parse(text) as number[]).map(Math.fround)).toEqual(values);
    expect(embeddings([0.1, -2, 0], [1, 2, 3]).toPgVector(0)).toBe('[0.1,-2,0]');
    expect(embeddings([0.1, -2, 0], [1, 2, 3]).toPgVector(-1)).toBe('[1,2,3]');
  });

  test.each([NaN, Infinity, -Infinity])('%d is refused, as pgvector would', (value) => {
    expect(() => embeddings([1, value]).toPgVector(0)).toThrow(RangeError);
    expect(() => embeddings([1, value]).toPgVector(0)).toThrow(
      `embeddings.toPgVector(0): value 1 of the row is ${value}`,
    );
  });
});

describe('toPgHalfvec', () => {
  const rounded = (values: number[]): number[] => JSON.parse(embeddings(values).toPgHalfvec(0)) as number[];

  test('every 16-bit float is itself', () => {
    expect(rounded(halves).map(Math.fround)).toEqual(halves.map(Math.fround));
  });

  test('what lies between two goes to the nearer, half way to the even one', () => {
    for (let bits = 0; bits + 1 < halves.length; bits++) {
      const [low = 0, high = 0] = [halves[bits], halves[bits + 1]];
      const middle = (low + high) / 2;
      const step = (high - low) / 64;
      const even = bits % 2 === 0 ? low : high;
      const values = rounded([middle - step, middle, middle + step, -middle]).map(Math.fround);
      if (String(values) !== String([low, even, high, -even].map(Math.fround)))
        throw new Error(`between ${low} and ${high}: ${values.join()}`);
    }
  });

  test('what would be infinite is refused', () => {
    expect(rounded([65519])).toEqual([65504]);
    expect(() => embeddings([0, 65520]).toPgHalfvec(0)).toThrow(RangeError);
    expect(() => embeddings([NaN]).toPgHalfvec(0)).toThrow(RangeError);
  });
});

test('toPgBit has a 1 for each value above zero, as toBits has', () => {
  const some = embeddings([0.5, -1, 0, 2, -0, 1e-45, 3, -3, 1], [-1, 1, 1, 1, 1, 1, 1, 1, -1]);
  expect(some.toPgBit(0)).toBe('100101101');
  expect(some.toPgBit(1)).toBe('011111110');
  const bits = Array.from(some.toBits().subarray(0, 2), (byte) => byte.toString(2).padStart(8, '0')).join('');
  expect(bits).toBe('1001011010000000');
  expect(() => embeddings([1, NaN]).toPgBit(0)).toThrow(/value 1 of the row is NaN, which has no sign/);
});

test('a row that is not there is a RangeError', () => {
  for (const method of ['toPgVector', 'toPgHalfvec', 'toPgBit'] as const)
    expect(() => embeddings([1])[method](1)).toThrow(RangeError);
});
