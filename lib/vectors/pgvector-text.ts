/**
 * A row as pgvector's types read it: for `Embeddings` and for what writes single rows. Each throws RangeError for a value
 * that its type has no form for; `where` is what the message begins with.
 */
import { expectedRowBytes, JsonWriter } from './json-writer.js';

/** `vector`. */
export function vectorText(row: Float32Array, where: string): string {
  checkBelow(Infinity, row, where);
  return jsonText(row);
}

/** `halfvec`, rounded here as pgvector would round it: half the digits. */
export function halfvecText(row: Float32Array, where: string): string {
  // From here on the nearest one is infinite.
  checkBelow(65520, row, where);
  return jsonText(row.map(half));
}

/** `bit`. */
export function bitText(row: Float32Array, where: string): string {
  let text = '';
  for (const [d, value] of row.entries()) {
    if (Number.isNaN(value)) throw refusal(where, d, value, 'which has no sign');
    text += value > 0 ? '1' : '0';
  }
  return text;
}

function jsonText(row: Float32Array): string {
  const writer = new JsonWriter(expectedRowBytes(row.length));
  writer.vector(row);
  return writer.finish().toString('latin1');
}

function checkBelow(bound: number, row: Float32Array, where: string): void {
  // Asked this way round so that NaN is refused too.
  const wrong = row.findIndex((value) => !(Math.abs(value) < bound));
  if (wrong >= 0) throw refusal(where, wrong, row[wrong] ?? NaN, 'which pgvector refuses');
}

function refusal(where: string, d: number, value: number, why: string): RangeError {
  return new RangeError(`${where}: value ${d} of the row is ${value}, ${why}`);
}

/** The nearest 16-bit float, ties to even, for |value| < 65520. */
function half(value: number): number {
  const magnitude = Math.abs(value);
  // Above the unit in the last place by 2^52 times, where doubles have no fraction of it left.
  const exponent = Math.max(Math.floor(Math.log2(magnitude)), -14);
  const unit = 2 ** (exponent - 10);
  const big = unit * 2 ** 52;
  return Math.sign(value) * (magnitude + big - big);
}
