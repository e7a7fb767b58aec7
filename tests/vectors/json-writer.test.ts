/** JSON of vectors: the same float32 comes back, in the fewest digits, in notation that JSON allows. */
import { expect, test } from 'vitest';
import { JsonWriter } from '../../lib/vectors/json-writer.js';

function written(values: Float32Array): string {
  const writer = new JsonWriter(1);
  writer.vector(values);
  return writer.finish().toString();
}

/** Any bit pattern, from a seed. */
function* randomBits(count: number): Generator<number> {
  let state = 0x2545f491;
  for (let i = 0; i < count; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    yield state >>> 0;
  }
}

function expectExact(values: Float32Array): void {
  const back = Float32Array.from(JSON.parse(written(values)) as number[]);
  for (const [i, value] of values.entries()) {
    if (Object.is(back[i], value) || (value === 0 && back[i] === 0)) continue;
    expect.fail(`${value} came back as ${back[i]}`);
  }
}

test('values of normalised vectors come back exactly, and none is longer than it has to be', () => {
  const values = Float32Array.from(randomBits(200_000), (bits) => (bits / 2 ** 31 - 1) * 0.2);
  expectExact(values);
  const texts = written(values).slice(1, -1).split(',');
  for (const [i, text] of texts.slice(0, 20_000).entries()) {
    const digits = text.replace(/^-?0?\.?0*/, '').replace('.', '').length;
    const value = values[i] ?? NaN;
    if (digits > 1) expect(Math.fround(Number(value.toPrecision(digits - 1))), text).not.toBe(value);
  }
});

test('every kind of float32 comes back: all exponents, subnormals, the largest and the smallest', () => {
  const bits = Uint32Array.from(randomBits(100_000));
  expectExact(new Float32Array(bits.buffer).filter(Number.isFinite));
  expectExact(
    Float32Array.of(0, -0, 1, -1, 0.1, 0.5, 1e-6, 9.999999e-7, 1e7, 9999999, 123456.7, 2 ** -149, 3.4028235e38),
  );
});

test('short decimals stay short', () => {
  expect(written(Float32Array.of(0.1, -0.5, 1, 0, 12.25, 0.001, 100))).toBe('[0.1,-0.5,1,0,12.25,0.001,100]');
});

test('what JSON has no form for becomes null, as in JSON.stringify', () => {
  expect(written(Float32Array.of(NaN, Infinity, -Infinity))).toBe('[null,null,null]');
  expect(written(new Float32Array(0))).toBe('[]');
});

test('text and vectors in one buffer that grows', () => {
  const writer = new JsonWriter(1);
  writer.text('{"name":"Zürich 東京 \u{1f600}","rows":[');
  for (let i = 0; i < 100; i++) {
    if (i > 0) writer.ascii(',');
    writer.vector(Float32Array.from({ length: 50 }, (_, k) => i + k / 8));
  }
  writer.ascii(']}');
  const parsed = JSON.parse(writer.finish().toString()) as { name: string; rows: number[][] };
  expect(parsed.name).toBe('Zürich 東京 \u{1f600}');
  expect(parsed.rows[99]?.[49]).toBe(99 + 49 / 8);
});
