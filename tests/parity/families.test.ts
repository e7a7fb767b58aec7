/** The models of ../shared/models/families, text to vector: the encoder against float64 references and ONNX Runtime. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, inject, test } from 'vitest';
import { Session } from '../../lib/index.js';
import { binding } from '../../lib/native/binding.js';
import { cosine } from '../fixtures/vectors.js';

const shared = inject('shared');

interface Expected {
  readonly text: string;
  readonly ids: readonly number[];
  readonly vector: readonly number[];
}

function expectedOf(directory: string): readonly Expected[] {
  return readFileSync(join(directory, 'expected.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Expected);
}

const leastCosine = { fp32: 0.999999, bf16: 0.9999, int8: 0.999 } as const;

describe.each(['xlm-roberta', 'roberta', 'mpnet', 'distilbert', 'modernbert'])('%s', (family) => {
  const directory = join(shared ?? '', 'models', 'families', family);
  const files = ['model.safetensors', 'onnx/model.onnx'];

  test.for(files)('%s: the vectors of transformers, and of ONNX Runtime', async (modelFile, context) => {
    if (shared === null || !existsSync(directory)) return context.skip('../shared has no models of families');
    const expected = expectedOf(directory);
    const texts = expected.map(({ text }) => text);
    await using session = await Session.load(directory, { engine: 'encoder', dtype: 'fp32', modelFile });
    expect(session.info).toMatchObject({ engine: 'encoder', fallbacks: [] });
    const rows = [...(await session.embed(texts))];
    expect(Math.min(...rows.map((row, i) => cosine(row, expected[i]?.vector ?? [])))).toBeGreaterThanOrEqual(0.999999);
    await using ort = await Session.load(directory, { engine: 'ort', dtype: 'fp32' });
    const others = [...(await ort.embed(texts))];
    expect(Math.min(...rows.map((row, i) => cosine(row, others[i] ?? [])))).toBeGreaterThanOrEqual(0.999999);
  });

  test.for(files.flatMap((file) => (['bf16', 'int8'] as const).map((dtype) => [file, dtype] as const)))(
    '%s in %s',
    async ([modelFile, dtype], context) => {
      if (shared === null || !existsSync(directory)) return context.skip('../shared has no models of families');
      const reason = binding().encoderUnavailable(dtype);
      if (reason !== null) return context.skip(`${dtype}: ${reason}`);
      const expected = expectedOf(directory);
      await using session = await Session.load(directory, { engine: 'encoder', dtype, modelFile });
      expect(session.info).toMatchObject({ engine: 'encoder', dtype, fallbacks: [] });
      const rows = [...(await session.embed(expected.map(({ text }) => text)))];
      const least = Math.min(...rows.map((row, i) => cosine(row, expected[i]?.vector ?? [])));
      expect(least).toBeGreaterThanOrEqual(leastCosine[dtype]);
    },
  );
});
