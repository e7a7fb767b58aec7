/** The bench's models of real shapes are grown from tiny exported ones: what is grown is a model that everybody agrees on. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, inject, test } from 'vitest';
import { Reranker, Session } from '../../lib/index.js';
import { buildLibrary } from '../built-library.js';
import { cosine } from '../fixtures/vectors.js';
import { temporaryDirectory } from '../models/model-directory.js';

const shared = inject('shared');
const hasFamilies = shared !== null && existsSync(join(shared, 'models', 'families'));

interface Size {
  hidden: number;
  heads: number;
  layers: number;
  intermediate: number;
  positions?: number;
}

interface FamilyModel {
  name: string;
  task: 'embed' | 'rerank' | 'static';
  family: string;
  size: Size;
  config?: object;
}

// The bench takes its writers of files from the built library.
await buildLibrary();
const { familyModels, writeFamilyModel } = (await import(
  new URL('../../bench/families/models.mjs', import.meta.url).href
)) as {
  familyModels: readonly FamilyModel[];
  writeFamilyModel: (directory: string, model: FamilyModel) => Promise<void>;
};

const text = 'The quick brown fox jumps over the lazy dog, again and again. '.repeat(12);

describe.skipIf(!hasFamilies)('models of real shapes, seeded', () => {
  test('have the widths, heads and layers of the published ones', () => {
    expect(
      familyModels.map(({ name, size: { hidden, heads, layers, intermediate } }) => [
        name,
        hidden,
        heads,
        layers,
        intermediate,
      ]),
    ).toEqual([
      ['multilingual-e5-small', 384, 12, 12, 1536],
      ['all-mpnet-base-v2', 768, 12, 12, 3072],
      ['gte-modernbert-base', 768, 12, 22, 1152],
      ['bge-reranker-base', 768, 12, 12, 3072],
      ['ms-marco-MiniLM-L6', 384, 12, 6, 1536],
      ['potion-base-8M', 256, 0, 0, 0],
    ]);
  });

  test.each(familyModels.filter(({ task }) => task !== 'static').map((model) => [model.name, model] as const))(
    '%s, made small: ONNX and safetensors by the encoder are ONNX Runtime’s',
    async (_, model) => {
      const directory = temporaryDirectory();
      // Heads of 64 values where the tiny graph has 32, and layers that it has not.
      const layers = model.family === 'modernbert' ? 7 : 5;
      const size = {
        ...model.size,
        hidden: 128,
        heads: model.size.hidden / model.size.heads === 64 ? 2 : 4,
        layers,
        intermediate: 192,
      };
      const types = Array.from({ length: layers }, (_, i) => (i % 3 === 0 ? 'full_attention' : 'sliding_attention'));
      const config = model.family === 'modernbert' ? { layer_types: types } : {};
      await writeFamilyModel(directory, { ...model, size, config });
      const rowsOf = async (
        engine: 'ort' | 'encoder',
        modelFile: string,
        dtype: 'fp32' | 'int8',
      ): Promise<number[]> => {
        const options = { engine, modelFile, dtype, device: 'cpu' } as const;
        if (model.task === 'embed') {
          await using session = await Session.load(directory, options);
          return [...(await session.embed(text)).data];
        }
        await using reranker = await Reranker.load(directory, options);
        return [...(await reranker.score([['which animal jumps', text]], { activation: 'none' }))];
      };
      const exact = await rowsOf('ort', 'onnx/model.onnx', 'fp32');
      for (const file of ['onnx/model.onnx', 'model.safetensors']) {
        const rows = await rowsOf('encoder', file, 'fp32');
        if (model.task === 'embed') expect(cosine(rows, exact)).toBeGreaterThan(0.999999);
        else expect(rows[0]).toBeCloseTo(exact[0] ?? NaN, 4);
      }
      const quantized = await rowsOf('ort', 'onnx/model_quantized.onnx', 'int8');
      if (model.task === 'embed') expect(cosine(quantized, exact)).toBeGreaterThan(0.95);
      else expect(Math.abs((quantized[0] ?? NaN) - (exact[0] ?? NaN))).toBeLessThan(0.3);
    },
  );
});
