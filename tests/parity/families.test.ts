/** The models of ../shared/models/families, text to vector: the encoder against float64 references and ONNX Runtime. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, inject, test } from 'vitest';
import { type EmbeddingSessionOptions, GtewayError, Session } from '../../lib/index.js';
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

/** Null where the tokenizer is one that this build does not have: what it computes then is tested natively, from ids. */
async function sessionOf(directory: string, options: EmbeddingSessionOptions): Promise<Session | null> {
  try {
    return await Session.load(directory, options);
  } catch (error) {
    if (error instanceof GtewayError && error.code === 'ERR_TOKENIZER_UNSUPPORTED') return null;
    throw error;
  }
}

describe.each(['xlm-roberta', 'roberta', 'mpnet', 'distilbert', 'modernbert'])('%s', (family) => {
  const directory = join(shared ?? '', 'models', 'families', family);
  const files = ['model.safetensors', 'onnx/model.onnx'];

  test.for(files)('%s: the vectors of transformers, and of ONNX Runtime', async (modelFile, context) => {
    if (shared === null || !existsSync(directory)) return context.skip('../shared has no models of families');
    const expected = expectedOf(directory);
    const texts = expected.map(({ text }) => text);
    await using session = await sessionOf(directory, { engine: 'encoder', dtype: 'fp32', modelFile });
    if (session === null) return context.skip('this build has no such tokenizer');
    expect(session.info).toMatchObject({ engine: 'encoder', fallbacks: [] });
    const rows = [...(await session.embed(texts))];
    expect(Math.min(...rows.map((row, i) => cosine(row, expected[i]?.vector ?? [])))).toBeGreaterThanOrEqual(0.999999);
    await using ort = await Session.load(directory, { engine: 'ort', dtype: 'fp32' });
    const others = [...(await ort.embed(texts))];
    expect(Math.min(...rows.map((row, i) => cosine(row, others[i] ?? [])))).toBeGreaterThanOrEqual(0.999999);
  });
});
