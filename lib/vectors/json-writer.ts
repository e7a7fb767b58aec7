/**
 * Writes JSON, vectors straight from a Float32Array: answers of the server, and what pgvector reads.
 *
 * A float32 is written with the fewest digits that give the same float32 back when they are read as a number and rounded
 * to float32. JSON.stringify would write the shortest form of the double it is widened to, twice as many digits of
 * which the second half is noise: 0.12345679 instead of 0.12345679104328156.
 */

/** The longest a value can get, with its comma: `-1.23456789e-38,`, and fixed notation with up to six zeros. */
const longestValue = 24;

/** 10^(8 - exponent) for a value in [10^exponent, 10^(exponent + 1)); fixed notation is written from 1e-6 to 1e7. */
const fixedFrom = 1e-6;
const fixedBelow = 1e7;
const powers = Array.from({ length: 23 }, (_, i) => Number(`1e${i}`));

const [comma, minus, point, zero, open, close] = Buffer.from(',-.0[]');

/** Text and vectors end to end, in one buffer that grows. Everything written must be what JSON allows at its place. */
export class JsonWriter {
  #bytes: Buffer;
  #length = 0;

  /** @param expectedBytes what will be written, about; more is fine, it only costs a copy */
  constructor(expectedBytes: number) {
    this.#bytes = Buffer.allocUnsafe(Math.max(256, Math.ceil(expectedBytes)));
  }

  text(text: string): void {
    // A UTF-16 unit takes at most three bytes of UTF-8.
    this.#reserve(text.length * 3);
    this.#length += this.#bytes.write(text, this.#length);
  }

  /** Bytes that are ASCII already, such as base64. */
  ascii(text: string): void {
    this.#reserve(text.length);
    this.#length += this.#bytes.write(text, this.#length, 'latin1');
  }

  /** `[0.1,-0.2]`; what JSON has no form for (NaN, infinities) becomes null, as in JSON.stringify. */
  vector(values: Float32Array): void {
    this.#reserve(values.length * longestValue + 2);
    const bytes = this.#bytes;
    let at = this.#length;
    bytes[at++] = open ?? 0;
    for (let i = 0; i < values.length; i++) {
      if (i > 0) bytes[at++] = comma ?? 0;
      at = writeFloat(bytes, at, values[i] ?? NaN);
    }
    bytes[at++] = close ?? 0;
    this.#length = at;
  }

  /** A view of what was written; the writer must not be used afterwards. */
  finish(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  #reserve(bytes: number): void {
    if (this.#length + bytes <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafe(Math.max(this.#length + bytes, Math.ceil(this.#bytes.length * 1.5)));
    this.#bytes.copy(grown, 0, 0, this.#length);
    this.#bytes = grown;
  }
}

/** Bytes that a row of so many values takes, about. */
export function expectedRowBytes(dimensions: number): number {
  return dimensions * 12.5 + 40;
}

function writeFloat(bytes: Buffer, start: number, value: number): number {
  let at = start;
  let rest = value;
  if (value < 0) {
    bytes[at++] = minus ?? 0;
    rest = -value;
  }
  if (!(rest >= fixedFrom && rest < fixedBelow)) return writeRare(bytes, start, value);

  let exponent = 0;
  if (rest < 1)
    exponent = rest >= 0.1 ? -1 : rest >= 0.01 ? -2 : rest >= 1e-3 ? -3 : rest >= 1e-4 ? -4 : rest >= 1e-5 ? -5 : -6;
  else while (rest >= (powers[exponent + 1] ?? Infinity)) exponent++;

  // Nine significant digits always suffice for a float32; most need eight.
  let decimals = 8 - exponent;
  let digits = Math.round(rest * (powers[decimals] ?? 0));
  for (let fewer = decimals - 1; fewer >= 0; fewer--) {
    const power = powers[fewer] ?? 0;
    const candidate = Math.round(rest * power);
    if (Math.fround(candidate / power) !== rest) break;
    decimals = fewer;
    digits = candidate;
  }
  return writeFixed(bytes, at, digits, decimals);
}

/** `digits` / 10^`decimals`, where `digits` is below 2^31. */
function writeFixed(bytes: Buffer, start: number, digits: number, decimals: number): number {
  let count = 1;
  for (let bound = 10; digits >= bound; bound *= 10) count++;
  const width = Math.max(count, decimals + 1);
  const end = start + width + (decimals > 0 ? 1 : 0);
  let rest = digits | 0;
  let at = end;
  for (let i = 0; i < width; i++) {
    if (i === decimals && decimals > 0) bytes[--at] = point ?? 0;
    const quotient = (rest / 10) | 0;
    bytes[--at] = (zero ?? 0) + rest - quotient * 10;
    rest = quotient;
  }
  return end;
}

/** Zero, the very small and the very large, and what is no number. */
function writeRare(bytes: Buffer, start: number, value: number): number {
  return start + bytes.write(Number.isFinite(value) ? shortest(value) : 'null', start, 'latin1');
}

function shortest(value: number): string {
  for (let digits = 1; digits < 9; digits++) {
    const candidate = Number(value.toPrecision(digits));
    if (Math.fround(candidate) === value) return JSON.stringify(candidate);
  }
  return JSON.stringify(Number(value.toPrecision(9)));
}
