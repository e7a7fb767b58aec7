import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as ort from 'onnxruntime-node';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { fixtureModel, fixtureVersion, writeFixtureModel } from '../../lib/models/fixture/fixture-model.js';
import { toFloat16 } from '../../lib/models/fixture/precision.js';
import { isGtewayError } from '../../lib/errors.js';
import { cosine, erf, meanPool, normalise, ReferenceBert } from '../reference/bert.js';
import { wordpiece } from '../reference/wordpiece.js';

/** Of fixtureVersion 1. A change here without a new version would leave the old files in people's caches. */
const hashes: Readonly<Record<string, string>> = {
  'README.md': 'f8fea5084314bc7865a19b62aaa0ab27bd939fd303cf611ce36f64b299ab07ec',
  'config.json': '82cd0de59dcad375e4aad0e4a818ed993f4314aa8408bc8c0d3b326f89c19b57',
  'model.safetensors': 'd13c759b32d7e37a5938b27b166130adc0e03a3a50ac9e3b5259714ce930ec64',
  'onnx/model.onnx': '87e87d2623fc952b56a72c88582a5eac893af86d8953dcc282bc0f744787c2bb',
  'onnx/model_fp16.onnx': '3575efb4870ec8cabc607919c29c649e81e296683dea2b30bfc504734523ecd4',
  'onnx/model_quantized.onnx': 'f51a6efafbf78022b5aa04fbb802153c6fa8c2802024b72474485f04041aa1b8',
  'special_tokens_map.json': 'b6d346be366a7d1d48332dbc9fdf3bf8960b5d879522b7799ddba59e76237ee3',
  'tokenizer.json': '6ce1b071a78bfc56c3d1ac51290ab19afa7f6d6d55d49bf6657a4a17ccc7120d',
  'tokenizer_config.json': 'd56f352d447b18c3c811e55516418c3d8004c337118a24e012e156174fb6c1dd',
  'vocab.txt': 'a3821660068fc98aa22ff00fee99a2c5b24bd091ebc178f8e0aa9b727792f237',
};

const texts = [
  'Hello world',
  'The cat sleeps on the warm kitchen floor.',
  'A cat sleeps on the floor of the kitchen, where it is warm.',
  'Quarterly revenue fell because of unexpected insurance payments.',
  'async function embed(texts) { return session.run(texts); }',
  '',
];

let scratch: string;
let directory: string;
let vocabulary: ReadonlyMap<string, number>;
let reference: ReferenceBert;

beforeAll(async () => {
  scratch = mkdtempSync(join(tmpdir(), 'gteway-fixture-test-'));
  directory = await fixtureModel(scratch);
  vocabulary = new Map(
    readFileSync(join(directory, 'vocab.txt'), 'utf8')
      .trimEnd()
      .split('\n')
      .map((token, id) => [token, id]),
  );
  reference = ReferenceBert.load(directory);
});

afterAll(() => rmSync(scratch, { recursive: true, force: true }));

describe('the fixture model', () => {
  test('has the same bytes on every machine', () => {
    const found: Record<string, string> = {};
    for (const name of filesOf(directory)) {
      found[name] = createHash('sha256')
        .update(readFileSync(join(directory, name)))
        .digest('hex');
    }
    expect(fixtureVersion).toBe(1);
    expect(found).toEqual(hashes);
  });

  test('says in each of its descriptions that it was never trained', () => {
    const config = JSON.parse(readFileSync(join(directory, 'config.json'), 'utf8')) as Record<string, unknown>;
    expect(config.gteway_fixture).toEqual({ version: fixtureVersion, trained: false });
    expect(readFileSync(join(directory, 'README.md'), 'utf8')).toContain('never trained');
    expect(readFileSync(join(directory, 'onnx/model.onnx')).includes('never trained')).toBe(true);
    expect(readFileSync(join(directory, 'model.safetensors')).includes('never trained')).toBe(true);
  });

  test('has a vocabulary of distinct tokens, the same in vocab.txt and tokenizer.json', () => {
    const tokenizer = JSON.parse(readFileSync(join(directory, 'tokenizer.json'), 'utf8')) as {
      model: { vocab: Record<string, number> };
      added_tokens: { id: number; content: string }[];
    };
    expect(new Map(Object.entries(tokenizer.model.vocab))).toEqual(vocabulary);
    expect(vocabulary.size).toBe(3584);
    for (const { id, content } of tokenizer.added_tokens) expect(vocabulary.get(content)).toBe(id);
    expect(['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]'].map((token) => vocabulary.get(token))).toEqual([
      0, 100, 101, 102, 103,
    ]);
  });

  test('cuts English text into words and a few pieces, and leaves nothing unknown', () => {
    expect(wordpiece('the cat sleeps on the warm kitchen floor.', vocabulary)).toEqual([
      '[CLS]',
      'the',
      'cat',
      'sleep',
      '##s',
      'on',
      'the',
      'warm',
      'kitchen',
      'floor',
      '.',
      '[SEP]',
    ]);
    const source = readFileSync(new URL('../../lib/models/fixture/fixture-model.ts', import.meta.url), 'utf8');
    const tokens = wordpiece(source.toLowerCase().replaceAll(/[^ -~\n]/g, ' '), vocabulary);
    expect(tokens).not.toContain('[UNK]');
    expect(tokens.length / source.length).toBeLessThan(0.4);
  });

  test.each([
    ['fp32', 'model.onnx', 0.999999],
    ['fp16', 'model_fp16.onnx', 0.9999],
    ['int8', 'model_quantized.onnx', 0.99],
  ])('as %s in ONNX Runtime agrees with the textbook', async (_, file, least) => {
    const session = await ort.InferenceSession.create(join(directory, 'onnx', file));
    expect(session.inputNames).toEqual(['input_ids', 'attention_mask', 'token_type_ids']);
    expect(session.outputNames).toEqual(['last_hidden_state']);
    const batch = [...texts.map(encode), sampleIds(512), sampleIds(33)];
    const vectors = await run(session, batch);
    batch.forEach((ids, row) => {
      expect(cosine(vectors[row] ?? [], reference.embed(ids)), `row ${row}`).toBeGreaterThanOrEqual(least);
    });
    await session.release();
  });

  test('has no quality of its own, but texts that share words lie closer than others', () => {
    const vectors = texts.map((text) => reference.embed(encode(text)));
    const between = (a: number, b: number): number => cosine(vectors[a] ?? [], vectors[b] ?? []);
    expect(between(1, 2)).toBeGreaterThan(0.7);
    for (const other of [3, 4]) {
      expect(between(1, other)).toBeLessThan(0.65);
      expect(between(1, other)).toBeGreaterThan(-0.65);
    }
  });
});

describe('writing the fixture model', () => {
  test('changes nothing the second time, and leaves no drafts', async () => {
    const before = statSync(join(directory, 'onnx/model.onnx')).ino;
    expect(await fixtureModel(scratch)).toBe(directory);
    expect(statSync(join(directory, 'onnx/model.onnx')).ino).toBe(before);
    expect(readdirSync(join(directory, '..'))).toEqual([`v${fixtureVersion}`]);
  });

  test('works from several callers at once', async () => {
    const shared = join(scratch, 'shared');
    await Promise.all([writeFixtureModel(shared), writeFixtureModel(shared), writeFixtureModel(shared)]);
    expect(filesOf(shared)).toEqual(filesOf(directory));
    expect(readdirSync(scratch).filter((name) => name.startsWith('shared'))).toEqual(['shared']);
  });

  test('does not touch a directory that holds something else', async () => {
    const taken = mkdtempSync(join(scratch, 'taken-'));
    writeFileSync(join(taken, 'notes.txt'), 'mine');
    const failure = await writeFixtureModel(taken).catch((error: unknown) => error);
    expect(isGtewayError(failure, 'ERR_CACHE_WRITE')).toBe(true);
    expect((failure as Error).message).toContain('holds other files');
    expect(readdirSync(taken)).toEqual(['notes.txt']);
  });

  test('says which directory cannot be written', async () => {
    const file = join(scratch, 'a-file');
    writeFileSync(file, '');
    const failure = await fixtureModel(file).catch((error: unknown) => error);
    expect(isGtewayError(failure, 'ERR_CACHE_WRITE')).toBe(true);
    expect((failure as Error).message).toContain(file);
  });
});

describe('precision', () => {
  test('binary16 is rounded to nearest, ties to even, and stays finite', () => {
    const cases: [number, number][] = [
      [0, 0x0000],
      [-0, 0x8000],
      [1, 0x3c00],
      [-2, 0xc000],
      [1 + 2 ** -11, 0x3c00],
      [1 + 3 * 2 ** -11, 0x3c02],
      [2 - 2 ** -12, 0x4000],
      [2 ** -14, 0x0400],
      [2 ** -24, 0x0001],
      [2 ** -25, 0x0000],
      [3 * 2 ** -25, 0x0002],
      [2 ** -14 - 2 ** -25, 0x0400],
      [65504, 0x7bff],
      [-3.4028234663852886e38, 0xfbff],
      [NaN, 0x7e00],
    ];
    for (const [value, bits] of cases) expect(toFloat16(value).toString(16), String(value)).toBe(bits.toString(16));
  });
});

describe('the reference', () => {
  test('has an error function that agrees with published values', () => {
    // Abramowitz and Stegun, table 7.1, and 1 − erfc from table 7.3 for the largest.
    const published: [number, number][] = [
      [0, 0],
      [0.1, 0.1124629160182849],
      [0.5, 0.5204998778130465],
      [1, 0.8427007929497149],
      [2, 0.9953222650189527],
      [3, 0.9999779095030014],
    ];
    for (const [x, value] of published) {
      expect(erf(x)).toBeCloseTo(value, 14);
      expect(erf(-x)).toBeCloseTo(-value, 14);
    }
    // The series and the continued fraction meet at 2.5.
    expect(erf(2.5 - 1e-9)).toBeCloseTo(erf(2.5 + 1e-9), 11);
  });
});

function filesOf(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort();
}

function encode(text: string): number[] {
  return wordpiece(text.toLowerCase(), vocabulary).map((token) => vocabulary.get(token) ?? 100);
}

/** Ids all over the vocabulary. */
function sampleIds(length: number): number[] {
  return Array.from({ length }, (_, index) => 104 + ((index * 977 + 13) % (vocabulary.size - 104)));
}

/** Runs a padded batch; gives each row's mean-pooled, normalised vector. */
async function run(session: ort.InferenceSession, batch: readonly number[][]): Promise<Float64Array[]> {
  const longest = Math.max(...batch.map((ids) => ids.length));
  const dims = [batch.length, longest];
  const tensor = (value: (ids: readonly number[], index: number) => number): ort.Tensor =>
    new ort.Tensor(
      'int64',
      BigInt64Array.from(batch.flatMap((ids) => Array.from({ length: longest }, (_, i) => BigInt(value(ids, i))))),
      dims,
    );
  const { last_hidden_state: output } = await session.run({
    input_ids: tensor((ids, i) => ids[i] ?? 0),
    attention_mask: tensor((ids, i) => (i < ids.length ? 1 : 0)),
    token_type_ids: tensor(() => 0),
  });
  if (!output) throw new Error('no last_hidden_state');
  const hidden = output.dims[2] ?? 0;
  const data = Float64Array.from(output.data as Float32Array);
  return batch.map((ids, row) =>
    normalise(meanPool(data.subarray(row * longest * hidden, (row * longest + ids.length) * hidden), hidden)),
  );
}
