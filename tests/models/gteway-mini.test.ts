/** The model in the package: small enough, the same from both files, and it finds what the demo asks. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { type EmbeddingSessionOptions, Session } from '../../lib/index.js';
import { cosine } from '../fixtures/vectors.js';

const model = fileURLToPath(new URL('../../models/gteway-mini', import.meta.url));
const texts = [
  'A small dog runs after the ball in the park.',
  'Knead the dough until it is smooth, then let it rise.',
  'The bank raised its interest rate by a quarter of a point.',
  'Two moons circle the planet Mars.',
];
const queries = ['a young dog', 'how to bake bread', 'money and interest rates', 'a planet and its moons'];

async function rowsOf(options: EmbeddingSessionOptions, input: readonly string[]): Promise<readonly Float32Array[]> {
  await using session = await Session.load(model, options);
  return [...(await session.embed(input))];
}

describe('gteway-mini', () => {
  test('takes at most 8 MB of a compressed package', () => {
    const files = readdirSync(model, { recursive: true, encoding: 'utf8' }).map((name) => join(model, name));
    const sizes = files
      .filter((file) => statSync(file).isFile())
      .map((file) => gzipSync(readFileSync(file)).byteLength);
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThanOrEqual(8_000_000);
  });

  test('safetensors on the encoder and the ONNX graph on ONNX Runtime give the same vectors', async () => {
    const input = [...texts, ...queries, '', 'Überraschung! 漢字', 'word '.repeat(700)];
    const encoder = await rowsOf({ engine: 'encoder', dtype: 'fp32' }, input);
    const ort = await rowsOf({ engine: 'ort', dtype: 'fp32' }, input);
    expect(encoder).toHaveLength(input.length);
    encoder.forEach((row, i) => {
      expect(row).toHaveLength(224);
      expect(cosine(row, ort[i] ?? new Float32Array(224))).toBeGreaterThanOrEqual(0.99999);
    });
  });

  test.each([224, 128, 64])('each query finds its own sentence, in %d dimensions', async (dimensions) => {
    const rows = await rowsOf({ engine: 'encoder', dtype: 'fp32' }, [...texts, ...queries]);
    const short = rows.map((row) => row.subarray(0, dimensions));
    const [answers, questions] = [short.slice(0, texts.length), short.slice(texts.length)];
    const found = questions.map((question) => {
      const scores = answers.map((answer) => cosine(question, answer));
      return scores.indexOf(Math.max(...scores));
    });
    expect(found).toEqual([0, 1, 2, 3]);
  });
});
