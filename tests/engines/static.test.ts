/** Static models, text to vector: against a slow reference that follows what the models' own programs do. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { Reranker, Session, Tokenizer } from '../../lib/index.js';
import { hostileText, randomFrom } from '../documents/hostile-text.js';
import {
  type StaticModelFiles,
  staticVectors,
  staticVocabulary,
  tokenizerJson,
  writeModel2vec,
  writeStaticEmbedding,
} from '../fixtures/static-model.js';
import { isolateHubEnvironment } from '../models/hub-environment.js';
import { startHub } from '../models/hub-server.js';
import { temporaryDirectory } from '../models/model-directory.js';

const vectors = (rows: number, dimensions: number): StaticModelFiles => ({
  vectors: staticVectors(rows * dimensions, rows + dimensions),
  dimensions,
});
const small = vectors(staticVocabulary, 24);
const quantized: StaticModelFiles = {
  ...vectors(300, 40),
  mapping: BigInt64Array.from({ length: staticVocabulary }, (_, token) => BigInt((token * 7919) % 300)),
  weights: Float64Array.from({ length: staticVocabulary }, (_, token) => 0.01 + (token % 97) / 50),
};

/** The whole vocabulary, added tokens included: token → id. */
const vocabulary = new Map(
  Object.entries((JSON.parse(tokenizerJson()) as { model: { vocab: Record<string, number> } }).model.vocab),
);
const unknown = vocabulary.get('[UNK]') ?? NaN;
const medianLength = (() => {
  const lengths = [...vocabulary.keys()].map((token) => Array.from(token).length).sort((a, b) => a - b);
  const half = lengths.length / 2;
  const middle = lengths.slice(Math.ceil(half) - 1, Math.floor(half) + 1);
  return Math.floor(middle.reduce((a, b) => a + b) / middle.length);
})();

// An ordinary tokenizer of the same file, whose ids are compared with Hugging Face's elsewhere.
const plain = Tokenizer.fromFiles({ tokenizerJson: tokenizerJson() });
const allIds = (text: string): number[] => [
  ...plain.encode(text, { maxTokens: Infinity, addSpecialTokens: false }).ids,
];

/** What model2vec's StaticModel.encode() reads of a text. */
function model2vecIds(text: string): number[] {
  const read = Array.from(new TextDecoder().decode(new TextEncoder().encode(text)))
    .slice(0, 512 * medianLength)
    .join('');
  return allIds(read)
    .filter((id) => id !== unknown)
    .slice(0, 512);
}

function meanOf({ vectors, dimensions, mapping, weights }: StaticModelFiles, ids: readonly number[]): number[] {
  return Array.from({ length: dimensions }, (_, d) => {
    const values = ids.map(
      (id) => (weights?.[id] ?? 1) * (vectors[Number(mapping?.[id] ?? id) * dimensions + d] ?? NaN),
    );
    return ids.length === 0 ? 0 : values.reduce((a, b) => a + b, 0) / ids.length;
  });
}

const random = randomFrom(15);
const texts = [
  'The quick brown fox jumps over the lazy dog.',
  '',
  ' \n\t ',
  '☃☃☃ 𝕬 \ud800',
  `${'☃ '.repeat(40)}known words between snowmen ${'☃'.repeat(40)}`,
  'word '.repeat(2000),
  'incomprehensibilities '.repeat(300),
  '☃ '.repeat(5000) + 'words that come too late',
  '👨‍👩‍👧‍👦'.repeat(900) + ' a',
  ...Array.from({ length: 200 }, () => hostileText(random, 1 + Math.floor(random() * 60))),
  ...Array.from({ length: 6 }, () => hostileText(random, 4000)),
];

describe('model2vec', () => {
  test.each([
    ['a vector for each token', small],
    ['a table that tokens share, with weights', quantized],
  ])('%s', async (_, files) => {
    const directory = writeModel2vec(temporaryDirectory(), files);
    await using session = await Session.load(directory, { threads: 2 });
    expect(session.info).toMatchObject({
      engine: 'static',
      device: 'cpu',
      dtype: 'fp32',
      dimensions: files.dimensions,
      maxTokens: 512,
      pooling: 'mean',
      fallbacks: [],
      modelFile: join(directory, 'model.safetensors'),
    });
    const rows = await session.embed(texts, { normalize: false });
    const unit = await session.embed(texts);
    for (const [i, text] of texts.entries()) {
      const ids = model2vecIds(text);
      const expected = meanOf(files, ids);
      const length = Math.hypot(...expected);
      expect(rows.tokens[i]).toBe(ids.length);
      for (const [d, value] of expected.entries()) {
        expect(Math.abs((rows.at(i)[d] ?? NaN) - value)).toBeLessThan(1e-6);
        expect(Math.abs((unit.at(i)[d] ?? NaN) - (length === 0 ? 0 : value / length))).toBeLessThan(1e-5);
      }
    }
    // Alone and in another order a text has the same bits.
    const backwards = await session.embed([...texts].reverse());
    for (const i of [0, 4, 5, 20, texts.length - 1]) {
      expect(backwards.at(texts.length - 1 - i)).toEqual(unit.at(i));
      expect((await session.embed(texts[i] ?? '')).at(0)).toEqual(unit.at(i));
    }
  });

  test('texts without a known token are zeros, and what was cut is told', async () => {
    await using session = await Session.load(writeModel2vec(temporaryDirectory(), small));
    const rows = await session.embed(['', '☃', 'a'.repeat(512 * medianLength), 'a'.repeat(512 * medianLength + 1)]);
    expect([...rows.at(0), ...rows.at(1)]).toEqual(new Array(2 * small.dimensions).fill(0));
    expect(rows.truncated).toEqual([false, false, false, true]);
    await expect(session.embed(texts[5] ?? '', { truncate: false })).rejects.toMatchObject({
      code: 'ERR_TEXT_TOO_LONG',
    });
    expect((await session.embed('', { pooling: 'none' })).rows).toBe(0);
  });

  test("token rows are those of the table; 'cls' is refused", async () => {
    await using session = await Session.load(writeModel2vec(temporaryDirectory(), quantized));
    const text = 'brown ☃ dogs';
    const rows = await session.embed(text, { pooling: 'none', normalize: false });
    const ids = model2vecIds(text);
    expect(rows.rows).toBe(ids.length);
    for (const [t, id] of ids.entries())
      for (const [d, value] of meanOf(quantized, [id]).entries()) expect(rows.at(t)[d]).toBeCloseTo(value, 6);
    await expect(session.embed(text, { pooling: 'cls' })).rejects.toMatchObject({ code: 'ERR_MODEL_UNSUPPORTED' });
  });

  test('chunks fit whatever the words are', async () => {
    await using session = await Session.load(writeModel2vec(temporaryDirectory(), small));
    const text = `${'incomprehensibilities '.repeat(900)}${'☃ '.repeat(9000)}${'a '.repeat(2000)}`;
    for (const per of ['chunk', 'document'] as const) {
      const { chunks, embeddings } = await session.embedDocument(['', text], { per, normalize: per === 'chunk' });
      expect(chunks.map((chunk) => chunk.text).join('')).toBe(text);
      expect(embeddings.truncated.every((cut) => !cut)).toBe(true);
      expect(embeddings.data.every(Number.isFinite)).toBe(true);
    }
  });

  test.each([
    ['with the type', { model_type: 'model2vec' }],
    ['as its first versions wrote it', { tokenizer_name: 'x', apply_pca: 256, apply_zipf: true, hidden_dim: 256 }],
  ])('is known by its config.json %s', async (_, config) => {
    await using session = await Session.load(writeModel2vec(temporaryDirectory(), small, config));
    expect(session.info).toMatchObject({ engine: 'static', dimensions: small.dimensions });
  });

  test('what it cannot do is refused by name', async () => {
    const directory = writeModel2vec(temporaryDirectory(), small);
    for (const options of [{ engine: 'ort' }, { engine: 'encoder' }, { dtype: 'int8' }, { dtype: 'bf16' }] as const)
      await expect(Session.load(directory, options)).rejects.toMatchObject({
        code: 'ERR_MODEL_UNSUPPORTED',
        message: expect.stringContaining('static model') as unknown,
      });
    await expect(Session.load(directory, { device: 'cuda' })).rejects.toMatchObject({ code: 'ERR_DEVICE_UNAVAILABLE' });
    await expect(Reranker.load(directory)).rejects.toMatchObject({ code: 'ERR_MODEL_UNSUPPORTED' });
    const short = writeModel2vec(temporaryDirectory(), { ...small, vectors: small.vectors.slice(0, 10 * 24) });
    await using session = await Session.load(short);
    await expect(session.embed('words')).rejects.toMatchObject({ code: 'ERR_MODEL_INVALID' });
  });

  test('its tokenizer by itself gives the same ids', async () => {
    const tokenizer = await Tokenizer.fromDirectory(writeModel2vec(temporaryDirectory(), small));
    for (const text of texts) expect([...tokenizer.encode(text).ids]).toEqual(model2vecIds(text));
    expect(tokenizer.count('brown ☃ dogs')).toBe(model2vecIds('brown ☃ dogs').length);
  });
});

describe.each(['', '0_StaticEmbedding/'] as const)("sentence-transformers' StaticEmbedding in '%s'", (folder) => {
  test('takes whole texts, with their unknown tokens', async () => {
    const directory = writeStaticEmbedding(temporaryDirectory(), small, folder, ['Normalize']);
    await using session = await Session.load(directory);
    expect(session.info).toMatchObject({ engine: 'static', dimensions: small.dimensions, pooling: 'mean' });
    const rows = await session.embed(texts, { normalize: false });
    for (const [i, text] of texts.entries()) {
      const expected = meanOf(small, allIds(text));
      expect(rows.truncated[i]).toBe(false);
      for (const [d, value] of expected.entries()) expect(Math.abs((rows.at(i)[d] ?? NaN) - value)).toBeLessThan(1e-6);
    }
  });

  test('with a layer that gteway does not have is refused', async () => {
    const directory = writeStaticEmbedding(temporaryDirectory(), small, folder, ['Dense']);
    await expect(Session.load(directory)).rejects.toThrow(/Dense/);
  });
});

describe('from a hub', () => {
  const contents = (directory: string): Record<string, Buffer> =>
    Object.fromEntries(
      readdirSync(directory, { recursive: true, encoding: 'utf8', withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map(({ parentPath, name }) => join(parentPath, name))
        .map((path) => [relative(directory, path).replaceAll('\\', '/'), readFileSync(path)]),
    );

  test.each([
    ['minishlab/potion-base-2M', writeModel2vec(mkdtempSync(join(tmpdir(), 'gteway-static-')), small), 3],
    ['owner/distilled', writeModel2vec(mkdtempSync(join(tmpdir(), 'gteway-static-')), small), 3],
    ['owner/bag', writeStaticEmbedding(mkdtempSync(join(tmpdir(), 'gteway-static-')), small, '0_StaticEmbedding/'), 4],
  ])(
    '%s: its table is fetched, not the graph beside it, and then the network is not needed',
    async (name, made, files) => {
      onTestFinished(() => rmSync(made, { recursive: true, force: true }));
      const hub = await startHub();
      isolateHubEnvironment({ HF_ENDPOINT: hub.url });
      hub.publish(name, { ...contents(made), 'onnx/model.onnx': 'a graph', 'README.md': '' });
      const text = 'The quick brown fox';
      await using session = await Session.load(name);
      expect(session.info).toMatchObject({ engine: 'static', dimensions: small.dimensions });
      const row = (await session.embed(text)).at(0);
      expect(hub.downloads('onnx/model.onnx')).toEqual([]);
      expect(new Set(hub.requests.filter(({ path }) => path.includes('/resolve/')).map(({ path }) => path)).size).toBe(
        files,
      );
      await using again = await Session.load(name, { offline: true });
      expect((await again.embed(text)).at(0)).toEqual(row);
    },
  );
});

test('the fixture has special tokens around texts, which static models leave out', () => {
  expect(plain.encode('a').ids.length).toBe(3);
  expect(allIds('☃')).toEqual([unknown]);
});
