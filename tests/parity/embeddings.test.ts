/** ONNX Runtime's whole path, text to vector, against float64 references and against onnxruntime-node. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { describe, expect, inject, test } from 'vitest';
import { type EmbeddingSessionOptions, Session, Tokenizer } from '../../lib/index.js';
import { cosine } from '../fixtures/vectors.js';

const gte = inject('gte');
const shared = inject('shared');
const noGte = 'the shared data (../shared) is not beside this checkout';

interface Golden {
  readonly text: string;
  readonly tokens: number;
  readonly embedding: readonly number[];
}

function golden(): readonly Golden[] {
  const path = join(shared ?? '', 'golden', 'gte_small_fixture_embeddings.jsonl');
  return readFileSync(path, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Golden);
}

function leastCosine(rows: Iterable<ArrayLike<number>>, references: readonly Golden[]): number {
  return Math.min(...Array.from(rows, (row, i) => cosine(row, references[i]?.embedding ?? [])));
}

describe('the golden vectors of the gte-small-shaped fixture', () => {
  test('fp32: cosine at least 0.999999 for each of the 113 texts, in one batch and alone', async (context) => {
    if (gte === null) return context.skip(noGte);
    const references = golden();
    expect(references).toHaveLength(113);
    await using session = await Session.load(gte, { engine: 'ort' });
    const batch = await session.embed(references.map((reference) => reference.text));
    expect(leastCosine(batch, references)).toBeGreaterThanOrEqual(0.999999);
    expect([...batch.tokens]).toEqual(references.map((reference) => reference.tokens));
    const tokenizer = await Tokenizer.load(gte);
    expect(batch.truncated).toEqual(references.map((reference) => tokenizer.count(reference.text) > 512));
    expect(batch.truncated).toContain(true);
    const alone: number[][] = [];
    for (const { text } of references) alone.push(await session.run(text));
    expect(leastCosine(alone, references)).toBeGreaterThanOrEqual(0.999999);
  });

  const variants: readonly [string, number][] = [
    ['onnx/model.onnx', 0.999999],
    ['onnx/model_opset14.onnx', 0.999999],
    ['onnx/model_opset17.onnx', 0.999999],
    ['onnx/model_opset18_dynamo.onnx', 0.999999],
    ['onnx/model_fp16.onnx', 0.9999],
    ['onnx/model_quantized.onnx', 0.99],
  ];
  test.for(variants)('%s agrees with them to a cosine of %f', async ([modelFile, least], context) => {
    if (gte === null) return context.skip(noGte);
    expect(existsSync(join(gte, modelFile))).toBe(true);
    const references = golden();
    await using session = await Session.load(gte, { engine: 'ort', modelFile });
    const batch = await session.embed(references.map((reference) => reference.text));
    expect(leastCosine(batch, references)).toBeGreaterThanOrEqual(least);
  });

  test('int8: a text has the same bits alone and in a batch', async (context) => {
    if (gte === null) return context.skip(noGte);
    const texts = golden().map((reference) => reference.text);
    await using session = await Session.load(gte, { engine: 'ort', dtype: 'int8' });
    const batch = await session.embed(texts);
    for (const i of [0, 7, 42, 112]) {
      const alone = await session.embed(texts[i] ?? '');
      expect(alone.at(0), `text ${i}`).toEqual(batch.at(i));
    }
  });
});

describe('onnxruntime-node', () => {
  const texts = ['Hello world', 'a much longer text, so that the batch has to be padded for the other one', ''];

  async function expectSameBits(directory: string, options: EmbeddingSessionOptions, modelFile: string): Promise<void> {
    const theirs = await InferenceSession.create(join(directory, modelFile));
    const tokenizer = await Tokenizer.load(directory);
    await using ours = await Session.load(directory, { engine: 'ort', ...options });
    for (const text of texts) {
      const ids = BigInt64Array.from(tokenizer.encode(text).ids, BigInt);
      const shape = [1, ids.length];
      const { last_hidden_state } = await theirs.run({
        input_ids: new Tensor('int64', ids, shape),
        attention_mask: new Tensor('int64', new BigInt64Array(ids.length).fill(1n), shape),
        token_type_ids: new Tensor('int64', new BigInt64Array(ids.length), shape),
      });
      const { data, rows } = await ours.embed(text, { pooling: 'none', normalize: false });
      expect(rows).toBe(ids.length);
      expect(data).toEqual(last_hidden_state?.data);
    }
    await theirs.release();
  }

  test('gives bit for bit the same tensor for the same ids', async () => {
    const directory = inject('fixture');
    await expectSameBits(directory, {}, 'onnx/model.onnx');
    await expectSameBits(directory, { threads: 1 }, 'onnx/model.onnx');
    await expectSameBits(directory, { dtype: 'int8' }, 'onnx/model_quantized.onnx');
  });

  test('gives bit for bit the same tensor for the full-size model', async (context) => {
    if (gte === null) return context.skip(noGte);
    await expectSameBits(gte, {}, 'onnx/model.onnx');
  });
});
