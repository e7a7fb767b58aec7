/** The packed encoder as a user has it: exact enough, the same from every file, invariant, alone in the process. */
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, inject, test, type TestContext } from 'vitest';
import { type EmbeddingSessionOptions, Session } from '../../lib/index.js';
import { binding } from '../../lib/native/binding.js';
import { buildLibrary } from '../built-library.js';
import { cosine } from '../fixtures/vectors.js';
import { runChild } from '../robustness/child.js';

const gte = inject('gte');
const shared = inject('shared');
const fixture = inject('fixture');
const noGte = 'the shared data (../shared) is not beside this checkout';
const dtypes = ['fp32', 'bf16', 'int8'] as const;
type EncoderDtype = (typeof dtypes)[number];

const texts = [
  'a dog',
  '',
  'a considerably longer sentence about the weather in spring, and what comes after it',
  'word '.repeat(700),
  'two cats',
  'Überraschung! 漢字',
];

function skipWithout(context: TestContext, dtype: EncoderDtype): void {
  const reason = binding().encoderUnavailable(dtype);
  if (reason !== null) context.skip(`${dtype}: ${reason}`);
}

async function rowsOf(
  model: string,
  options: EmbeddingSessionOptions,
  input: readonly string[] = texts,
): Promise<readonly Float32Array[]> {
  await using session = await Session.load(model, { engine: 'encoder', ...options });
  expect(session.info.engine).toBe('encoder');
  return [...(await session.embed(input))];
}

interface Ran {
  readonly engine: string;
  readonly dtype: string;
  readonly isa: string;
  readonly fallbacks: readonly { wanted: string; reason: string }[];
  readonly grown: number;
  readonly ort: boolean;
  readonly rows: readonly string[];
  readonly code?: string;
}

/** What a process of its own says. */
async function ranIn(model: string, options: EmbeddingSessionOptions, env: Record<string, string> = {}): Promise<Ran> {
  const child = await runChild('encoder.mjs', [model, JSON.stringify(options), JSON.stringify(texts)], { env });
  expect(child, child.output).toMatchObject({ code: 0, signal: null });
  return JSON.parse(child.output) as Ran;
}

beforeAll(() => buildLibrary());

describe('the golden vectors of the gte-small-shaped fixture', () => {
  test.for([
    ['fp32', 0.999999],
    ['bf16', 0.9999],
    ['int8', 0.999],
  ] as const)('%s: cosine at least %f for each of the 113 texts', async ([dtype, least], context) => {
    if (gte === null) return context.skip(noGte);
    skipWithout(context, dtype);
    const references = readFileSync(join(shared ?? '', 'golden', 'gte_small_fixture_embeddings.jsonl'), 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { text: string; embedding: number[] });
    expect(references).toHaveLength(113);
    const rows = await rowsOf(
      gte,
      { dtype },
      references.map(({ text }) => text),
    );
    const cosines = rows.map((row, i) => cosine(row, references[i]?.embedding ?? []));
    expect(Math.min(...cosines)).toBeGreaterThanOrEqual(least);
  });

  test('every exporter and safetensors give the same bits', async (context) => {
    if (gte === null) return context.skip(noGte);
    const files = ['onnx/model.onnx', 'onnx/model_opset14.onnx', 'onnx/model_opset17.onnx'];
    const all = [...files, 'onnx/model_opset18_dynamo.onnx', 'model.safetensors'];
    const [first, ...others] = await Promise.all(all.map((modelFile) => rowsOf(gte, { modelFile })));
    for (const [i, rows] of others.entries()) expect(rows, all[i + 1]).toEqual(first);
  });

  test('half precision weights are widened, and stay close', async (context) => {
    if (gte === null) return context.skip(noGte);
    const whole = await rowsOf(gte, { dtype: 'fp32' });
    const half = await rowsOf(gte, { dtype: 'fp32', modelFile: 'onnx/model_fp16.onnx' });
    for (const [i, row] of half.entries()) expect(cosine(row, whole[i] ?? [])).toBeGreaterThan(0.99999);
  });
});

describe.each(dtypes)("a text's vector in %s", (dtype) => {
  test('is the same to the last bit alone, in any batch and order, with one thread and two', async (context) => {
    skipWithout(context, dtype);
    const together = await rowsOf(fixture, { dtype, threads: 1 });
    expect(await rowsOf(fixture, { dtype, threads: 2 })).toEqual(together);
    const backwards = await rowsOf(fixture, { dtype, threads: 2, maxBatchTokens: 16 }, texts.toReversed());
    expect(backwards.toReversed()).toEqual(together);
    await using session = await Session.load(fixture, { engine: 'encoder', dtype });
    for (const [i, text] of texts.entries())
      expect((await session.embed(text)).at(0), `text ${i}`).toEqual(together[i]);
  });
});

describe("dtype 'auto'", () => {
  test('is bf16 where the texts measured keep a cosine of 0.9999, and the cosine is told', async (context) => {
    skipWithout(context, 'bf16');
    await using session = await Session.load(fixture, { engine: 'encoder' });
    expect(session.info).toMatchObject({ dtype: 'bf16', fallbacks: [] });
    expect(session.info.cosine).toBeGreaterThanOrEqual(0.9999);
    expect(session.info.cosine).toBeLessThan(1);
  });

  test('is fp32 for weights that bf16 is too coarse for, and the reason is told', async (context) => {
    skipWithout(context, 'bf16');
    const directory = await mkdtemp(join(tmpdir(), 'gteway-'));
    try {
      await cp(fixture, directory, { recursive: true });
      await rm(join(directory, 'onnx'), { recursive: true });
      await scaleTensors(join(directory, 'model.safetensors'), /\.self\.(query|key)\.weight$/, 4);
      await using session = await Session.load(directory, { device: 'cpu' });
      expect(session.info).toMatchObject({ engine: 'encoder', dtype: 'fp32', cosine: 1 });
      expect(session.info.fallbacks).toEqual([
        { wanted: 'bf16', reason: expect.stringContaining('and 0.999900 is what is asked for') as string },
      ]);
      // Whoever asks for it by name gets it, and is told what it costs.
      await using named = await Session.load(directory, { device: 'cpu', dtype: 'bf16' });
      expect(named.info).toMatchObject({ dtype: 'bf16', fallbacks: [] });
      expect(named.info.cosine).toBeLessThan(0.9999);
    } finally {
      await rm(directory, { recursive: true });
    }
  });
});

/** Multiplies every value of the float32 tensors with such names. */
async function scaleTensors(path: string, names: RegExp, factor: number): Promise<void> {
  const bytes = await readFile(path);
  const start = 8 + Number(bytes.readBigUInt64LE());
  const header = JSON.parse(bytes.toString('utf8', 8, start)) as Record<string, { data_offsets?: [number, number] }>;
  for (const [name, { data_offsets: [from, to] = [0, 0] }] of Object.entries(header)) {
    if (!names.test(name)) continue;
    for (let at = start + from; at < start + to; at += 4) bytes.writeFloatLE(bytes.readFloatLE(at) * factor, at);
  }
  await writeFile(path, bytes);
}

describe('ONNX Runtime', () => {
  test('is neither opened nor needed', async (context) => {
    skipWithout(context, 'fp32');
    const env = { GTEWAY_ORT_LIBRARY: '/no/such/library.so' };
    const { engine, ort, rows } = await ranIn(fixture, { engine: 'encoder' }, env);
    expect({ engine, ort }).toEqual({ engine: 'encoder', ort: false });
    expect(rows).toHaveLength(texts.length);
  });

  test('runs a quantised file, and the reason is told', async (context) => {
    skipWithout(context, 'fp32');
    await using session = await Session.load(fixture, { modelFile: 'onnx/model_quantized.onnx', device: 'cpu' });
    expect(session.info).toMatchObject({ engine: 'ort', dtype: 'int8' });
    expect(session.info.fallbacks).toEqual([
      { wanted: 'encoder', reason: expect.stringContaining('the model is quantised: ONNX Runtime runs it') as string },
    ]);
  });

  test('runs a model whose graph is another one; the encoder refuses it by name', async (context) => {
    skipWithout(context, 'fp32');
    const directory = await mkdtemp(join(tmpdir(), 'gteway-'));
    try {
      await cp(fixture, directory, { recursive: true });
      await rm(join(directory, 'model.safetensors'));
      const path = join(directory, 'onnx', 'model.onnx');
      // The first GELU's √2 becomes 1.5: a name of an operator and a constant in the file's bytes.
      const bytes = await readFile(path);
      const root = Buffer.alloc(4);
      root.writeFloatLE(Math.SQRT2);
      const at = bytes.indexOf(root);
      expect(at).toBeGreaterThan(0);
      bytes.writeFloatLE(1.5, at);
      await writeFile(path, bytes);
      await using session = await Session.load(directory, { device: 'cpu' });
      expect(session.info.engine).toBe('ort');
      expect(session.info.fallbacks.at(-1)?.wanted).toBe('encoder');
      expect(session.info.fallbacks.at(-1)?.reason).toMatch(/node '.*' \(Erf\): GELU's erf is of/);
      await expect(Session.load(directory, { engine: 'encoder' })).rejects.toMatchObject({
        code: 'ERR_MODEL_UNSUPPORTED',
      });
    } finally {
      await rm(directory, { recursive: true });
    }
  });

  test('a directory that has safetensors alone is the encoder’s', async (context) => {
    skipWithout(context, 'fp32');
    const directory = await mkdtemp(join(tmpdir(), 'gteway-'));
    try {
      await cp(fixture, directory, { recursive: true });
      await rm(join(directory, 'onnx'), { recursive: true });
      await using session = await Session.load(directory, { dtype: 'fp32' });
      expect(session.info).toMatchObject({ engine: 'encoder', modelFile: join(directory, 'model.safetensors') });
    } finally {
      await rm(directory, { recursive: true });
    }
  });
});

describe('GTEWAY_FORCE_ISA', () => {
  for (const isa of binding().cpu().isas) {
    test(`${isa}: auto runs what that set can, and tells what it cannot`, async () => {
      const ran = await ranIn(fixture, { device: 'cpu' }, { GTEWAY_FORCE_ISA: isa });
      expect(['encoder', 'ort']).toContain(ran.engine);
      if (ran.engine === 'ort') expect(ran.fallbacks.map(({ wanted }) => wanted)).toContain('encoder');
      else if (ran.dtype === 'fp32') expect(ran.fallbacks.map(({ wanted }) => wanted)).toContain('bf16');
      else expect(ran.dtype).toBe('bf16');
    });
  }

  test('scalar: the encoder runs when it is asked for', async () => {
    const scalar = await ranIn(fixture, { engine: 'encoder', dtype: 'fp32' }, { GTEWAY_FORCE_ISA: 'scalar' });
    expect(scalar).toMatchObject({ engine: 'encoder', isa: 'scalar' });
    const best = await rowsOf(fixture, { dtype: 'fp32' });
    for (const [i, hex] of scalar.rows.entries()) {
      const bytes = Buffer.from(hex, 'hex');
      const row = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
      expect(cosine(row, best[i] ?? [])).toBeGreaterThan(0.999999);
    }
  });
});

describe('memory', () => {
  test.for([
    ['bf16', 110],
    ['int8', 80],
  ] as const)('of gte-small in %s: at most %i MB above Node, tokenizer included', async ([dtype, most], context) => {
    if (gte === null) return context.skip(noGte);
    skipWithout(context, dtype);
    const { grown } = await ranIn(gte, { dtype, engine: 'encoder' });
    expect(grown / 1e6).toBeLessThan(most);
  });
});
