/** Session with an embedding model: what run() and embed() give, and what becomes of every kind of bad input. */
import { writeFile, mkdtemp, cp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { planEngines } from '../lib/engines/engine-plan.js';
import { Embeddings, GtewayError, isGtewayError, Session, Tokenizer } from '../lib/index.js';
import { cosine, length } from './fixtures/vectors.js';
import { until } from './until.js';

const model = inject('fixture');
const dimensions = 96;
let session: Session;

beforeAll(async () => {
  session = await Session.load(model);
});
afterAll(() => session.close());

/** The code of the GtewayError that `promise` rejects with. */
async function codeOf(promise: Promise<unknown>): Promise<string> {
  const error: unknown = await promise.then(
    () => 'resolved',
    (reason: unknown) => reason,
  );
  return isGtewayError(error) ? error.code : String(error);
}

describe('session.run', () => {
  test('one text gives one normalised vector as a plain array', async () => {
    const vector = await session.run('Hello world');
    expect(Array.isArray(vector)).toBe(true);
    expect(vector).toHaveLength(dimensions);
    expect(length(vector)).toBeCloseTo(1, 5);
  });

  test('several texts give a vector each, in their order, as each alone gives', async () => {
    const texts = ['a dog', 'a considerably longer sentence about the weather in spring', 'two cats'];
    const vectors = await session.run(texts);
    expect(vectors).toHaveLength(3);
    for (const [i, text] of texts.entries()) {
      expect(cosine(vectors[i] ?? [], await session.run(text))).toBeGreaterThan(0.9999999);
    }
  });

  test('mean_pool and normalize mean what they mean in the Edge runtime, and are both true by default', async () => {
    const text = 'pooling and normalising';
    const raw = await session.run(text, { mean_pool: true, normalize: false });
    const perToken = await session.run(text, { mean_pool: false, normalize: false });
    const tokens = (await Tokenizer.load(model)).encode(text).ids.length;
    expect(perToken).toHaveLength(tokens);
    const mean = raw.map((_, i) => perToken.reduce((sum, row) => sum + (row[i] ?? NaN), 0) / tokens);
    expect(length(raw)).not.toBeCloseTo(1, 1);
    for (const [i, value] of mean.entries()) expect(raw[i]).toBeCloseTo(value, 5);
    const byDefault = await session.run(text);
    for (const [i, value] of raw.entries()) expect(byDefault[i]).toBeCloseTo(value / length(raw), 5);
  });

  test('mean_pool: false gives one normalised vector per token, and a list of them per text', async () => {
    const texts = ['one', 'one two three'];
    const tokenizer = await Tokenizer.load(model);
    const perText = await session.run(texts, { mean_pool: false });
    expect(perText.map((rows) => rows.length)).toEqual(texts.map((text) => tokenizer.encode(text).ids.length));
    for (const rows of perText) for (const row of rows) expect(length(row)).toBeCloseTo(1, 5);
    const alone = await session.run('one two three', { mean_pool: false });
    for (const [i, row] of alone.entries()) expect(cosine(row, perText[1]?.[i] ?? [])).toBeGreaterThan(0.9999999);
  });

  test('it can be taken off its session', async () => {
    const { run } = session;
    expect(await run('Hello world')).toEqual(await session.run('Hello world'));
  });
});

describe('session.embed', () => {
  test('gives one Float32Array of rows, token counts and truncation flags', async () => {
    const texts = ['short', 'word '.repeat(2000), ''];
    const embeddings = await session.embed(texts);
    expect(embeddings).toBeInstanceOf(Embeddings);
    expect(embeddings.rows).toBe(3);
    expect(embeddings.dimensions).toBe(dimensions);
    expect(embeddings.data).toHaveLength(3 * dimensions);
    expect([...embeddings.tokens]).toEqual([3, 512, 2]);
    expect(embeddings.truncated).toEqual([false, true, false]);
  });

  test('a string is a list of one', async () => {
    expect((await session.embed('text')).data).toEqual((await session.embed(['text'])).data);
  });

  test('an array behind a proxy, as reactive frameworks make them, is an array', async () => {
    expect((await session.embed(new Proxy(['text'], {}))).data).toEqual((await session.embed('text')).data);
  });

  test('no texts give no rows', async () => {
    const embeddings = await session.embed([]);
    expect([embeddings.rows, embeddings.data.length, embeddings.tokens.length]).toEqual([0, 0, 0]);
    expect([...embeddings]).toEqual([]);
    expect(await session.run([])).toEqual([]);
  });

  test('thousands of texts of all lengths come back in their order', async () => {
    const texts = Array.from({ length: 3000 }, (_, i) => `text number ${i} ${'and more '.repeat((i * 7919) % 40)}`);
    const embeddings = await session.embed(texts);
    for (const i of [0, 1, 999, 1500, 2999]) {
      expect(cosine(embeddings.at(i), await session.run(texts[i] ?? ''))).toBeGreaterThan(0.9999999);
    }
  });

  test("pooling 'cls' is the first token's row, 'none' every token's", async () => {
    const options = { normalize: false } as const;
    const tokens = await session.embed('first of all', { ...options, pooling: 'none' });
    const cls = await session.embed('first of all', { ...options, pooling: 'cls' });
    expect(cls.at(0)).toEqual(tokens.at(0));
    expect(tokens.rows).toBe(tokens.tokens[0]);
  });

  test('dimensions keeps the first values and normalises after the cut', async () => {
    const whole = await session.embed('Matryoshka');
    const cut = await session.embed('Matryoshka', { dimensions: 32 });
    expect(cut.dimensions).toBe(32);
    expect(length(cut.at(0))).toBeCloseTo(1, 5);
    expect(cosine(cut.at(0), whole.at(0).subarray(0, 32))).toBeGreaterThan(0.9999999);
    const raw = await session.embed('Matryoshka', { dimensions: 32, normalize: false });
    expect(length(raw.at(0))).not.toBeCloseTo(1, 1);
    await expect(session.embed('x', { dimensions: 97 })).rejects.toThrow(RangeError);
    await expect(session.embed('x', { dimensions: 0 })).rejects.toThrow(/dimensions must be a whole number from 1/);
  });

  test('truncate: false refuses a text that is too long, naming it', async () => {
    const texts = ['fine', 'word '.repeat(600)];
    const error: unknown = await session.embed(texts, { truncate: false }).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(GtewayError);
    expect((error as GtewayError).code).toBe('ERR_TEXT_TOO_LONG');
    expect((error as GtewayError).message).toContain('text 1');
    expect((error as GtewayError).details).toEqual({ index: 1 });
    expect((await session.embed('fine', { truncate: false })).rows).toBe(1);
  });

  test("onError 'continue': a text that fails takes no other with it", async () => {
    const texts = Array.from({ length: 2500 }, (_, i) => `text ${i}`);
    texts[3] = texts[2400] = 'word '.repeat(600);
    for (const pooling of ['mean', 'none'] as const) {
      const options = { truncate: false, onError: 'continue', pooling } as const;
      const embeddings = await session.embed(texts, options);
      expect([...embeddings.errors.keys()]).toEqual([3, 2400]);
      expect(embeddings.errors.get(2400)).toMatchObject({ code: 'ERR_TEXT_TOO_LONG', details: { index: 2400 } });
      expect([embeddings.tokens[3], embeddings.tokens[2400]]).toEqual([0, 0]);
      if (pooling === 'none') {
        expect(embeddings.rows).toBe(embeddings.tokens.reduce((sum, count) => sum + count, 0));
        expect(embeddings.data.some(Number.isNaN)).toBe(false);
      } else {
        expect(embeddings.at(3).every(Number.isNaN) && embeddings.at(2400).every(Number.isNaN)).toBe(true);
        expect(cosine(embeddings.at(2401), await session.run('text 2401'))).toBeGreaterThan(0.9999999);
      }
    }
    expect((await session.embed(['fine', 'as well'], { onError: 'continue' })).errors.size).toBe(0);
    await expect(session.embed(texts, { truncate: false })).rejects.toMatchObject({ details: { index: 3 } });
    await expect(session.embed('x', { onError: 'skip' as 'throw' })).rejects.toThrow(/'throw' or 'continue'/);
  });

  test('lone surrogates count as U+FFFD', async () => {
    const odd = await session.embed(['a \ud800 b', '\udc00', 'x\ud83d']);
    const replaced = await session.embed(['a \ufffd b', '\ufffd', 'x\ufffd']);
    expect(odd.data).toEqual(replaced.data);
  });

  test('a text of 50 MB is cut, and costs no more than its first tokens', async () => {
    const huge = 'many words in one text '.repeat(50_000_000 / 23);
    const embeddings = await session.embed(['before', huge, 'after']);
    expect(embeddings.truncated).toEqual([false, true, false]);
    expect(cosine(embeddings.at(1), await session.run(huge.slice(0, 10_000)))).toBeGreaterThan(0.9999999);
  });

  test.each([
    [undefined, /expected a string or an array of strings, not undefined/],
    [42, /not 42/],
    [{ text: 'x' }, /not an object/],
    [['a', null], /texts\[1\] must be a string, not null/],
    [['a', 'b', ['c']], /texts\[2\] must be a string, not an array/],
    [[new String('boxed')], /texts\[0\]/],
  ])('%j is refused with a TypeError that names it', async (input, message) => {
    await expect(session.embed(input as unknown as string)).rejects.toThrow(TypeError);
    await expect(session.embed(input as unknown as string)).rejects.toThrow(message);
    await expect(session.run(input as unknown as string)).rejects.toThrow(message);
  });

  test('unknown and malformed options are refused, naming the nearest known one', async () => {
    await expect(session.embed('x', { normalise: true } as object)).rejects.toThrow(/did you mean 'normalize'/);
    await expect(session.embed('x', { pooling: 'max' as 'mean' })).rejects.toThrow(
      /'mean', 'cls' or 'none', not 'max'/,
    );
    await expect(session.embed('x', { normalize: 1 as unknown as boolean })).rejects.toThrow(/true or false, not 1/);
    await expect(session.embed('x', { timeout: 0 })).rejects.toThrow(/timeout must be more than 0/);
    await expect(session.embed('x', { timeout: 'soon' as unknown as number })).rejects.toThrow(TypeError);
    await expect(session.embed('x', { signal: {} as AbortSignal })).rejects.toThrow(/must be an AbortSignal/);
    await expect(session.run('x', { meanPool: true } as object)).rejects.toThrow(/did you mean 'mean_pool'/);
    await expect(session.run('x', { mean_pool: 'yes' as unknown as true })).rejects.toThrow(/mean_pool must be true/);
  });
});

describe('Embeddings', () => {
  test('rows are views; negative indices count from the end; others are refused', async () => {
    const embeddings = await session.embed(['a', 'b', 'c']);
    expect(embeddings.at(-1)).toEqual(embeddings.at(2));
    expect(embeddings.at(1).buffer).toBe(embeddings.data.buffer);
    expect([...embeddings].map((row) => row.length)).toEqual([dimensions, dimensions, dimensions]);
    for (const i of [3, -4, 0.5, NaN]) expect(() => embeddings.at(i)).toThrow(RangeError);
  });

  test('toBase64 holds the little-endian bytes of a row', async () => {
    const embeddings = await session.embed(['a', 'b']);
    const bytes = Buffer.from(embeddings.toBase64(1), 'base64');
    const floats = Array.from({ length: dimensions }, (_, i) => bytes.readFloatLE(4 * i));
    expect(floats).toEqual([...embeddings.at(1)]);
  });

  test('toInt8 keeps directions, toBits keeps signs', async () => {
    const embeddings = await session.embed(['to be quantised', 'this one as well']);
    const int8 = embeddings.toInt8();
    const bits = embeddings.toBits();
    expect(int8).toHaveLength(2 * dimensions);
    expect(bits).toHaveLength((2 * dimensions) / 8);
    for (let row = 0; row < 2; row++) {
      const values = embeddings.at(row);
      const quantised = int8.subarray(row * dimensions, (row + 1) * dimensions);
      expect(cosine(quantised, values)).toBeGreaterThan(0.9995);
      expect(Math.max(...quantised.map(Math.abs))).toBe(127);
      for (const [i, value] of values.entries()) {
        const byte = bits[(row * dimensions + i) >> 3] ?? 0;
        expect((byte >> (7 - (i % 8))) & 1, `row ${row}, value ${i}`).toBe(value > 0 ? 1 : 0);
      }
    }
  });
});

describe('session.info', () => {
  test('tells what runs', () => {
    const { model: name, fallbacks, ...rest } = session.info;
    const planned = planEngines({ engine: 'auto', dtype: 'auto', device: 'cpu' }).find((step) => 'engine' in step);
    if (planned === undefined) throw new Error('a plan without an engine');
    const { engine, device, dtype } = planned;
    expect(name).toBe(model);
    expect(rest).toMatchObject({
      dimensions,
      maxTokens: 512,
      pooling: 'mean',
      engine,
      device,
      dtype,
      cosine: engine === 'encoder' ? (expect.any(Number) as number) : null,
    });
    expect(fallbacks[0]?.wanted).toBe('cuda');
  });

  test('is a TypeError before the model is loaded', async () => {
    await using early = new Session(model);
    expect(() => early.info).toThrow(/await session.ready\(\) first/);
    await early.ready();
    expect(early.info.model).toBe(model);
  });
});

describe('devices', () => {
  test("'auto' falls back to the CPU and names what is missing", () => {
    expect(session.info.fallbacks[0]?.reason).toMatch(
      /no NVIDIA device|libonnxruntime_providers_\w+\.so is missing|libcu\w+\.so[.\d]* is missing/,
    );
  });

  test("'cpu' wants nothing else, so nothing is missing", async () => {
    await using cpu = await Session.load(model, { device: 'cpu', engine: 'ort' });
    expect(cpu.info.fallbacks).toEqual([]);
  });

  test("'cuda' fails where it cannot run, with the reason", async () => {
    const loading = Session.load(model, { device: 'cuda', deviceId: 0, gpuMemoryLimit: 2 ** 30 });
    await expect(loading).rejects.toThrow(/cuda:0 cannot be used.*is missing/s);
    expect(await codeOf(Session.load(model, { device: 'cuda' }))).toBe('ERR_DEVICE_UNAVAILABLE');
  });
});

describe('loading', () => {
  test('calls made before the model is loaded wait for it', async () => {
    await using early = new Session(model);
    const [one, many] = await Promise.all([early.run('x'), early.embed(['y', 'z'])]);
    expect(one).toHaveLength(dimensions);
    expect(many.rows).toBe(2);
  });

  test('options are checked at once, in the constructor', () => {
    expect(() => new Session(model, { thread: 2 } as object)).toThrow(/did you mean 'threads'/);
    expect(() => new Session(model, { threads: 0 })).toThrow(/threads must be a whole number from 1 to 1024, not 0/);
    expect(() => new Session(model, { device: 'gpu' as 'cuda' })).toThrow(/'auto', 'cpu', 'cuda', not 'gpu'/);
    expect(() => new Session(model, { dtype: 'int4' as 'int8' })).toThrow(RangeError);
    expect(() => new Session(model, { maxQueue: 1.5 })).toThrow(RangeError);
    expect(() => new Session(model, { maxQueueBytes: 0 })).toThrow(/maxQueueBytes must be a whole number from 1/);
    expect(() => new Session(model, { cache: true as unknown as { maxBytes: 1 } })).toThrow(/cache must be an object/);
    expect(() => new Session(model, { cache: {} as { maxBytes: 1 } })).toThrow(/cache needs maxBytes/);
    expect(() => new Session(model, { cache: { maxByte: 1 } as unknown as { maxBytes: 1 } })).toThrow(
      /cache: unknown option 'maxByte'; did you mean 'maxBytes'/,
    );
    expect(() => new Session(model, { cache: { maxBytes: 1.5 } })).toThrow(RangeError);
    expect(() => new Session(model, { cache: { maxBytes: '1MB' as unknown as number } })).toThrow(
      /cache.maxBytes must be a number, not '1MB'/,
    );
    expect(() => new Session(model, { offline: 'yes' as unknown as boolean })).toThrow(TypeError);
    expect(() => new Session(model, null as unknown as object)).toThrow(/options must be an object/);
    expect(() => new Session(7 as unknown as string)).toThrow(TypeError);
  });

  test('a failure is reported by ready() and by every call, not as an unhandled rejection', async () => {
    const lost = new Session('./no-such-directory');
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(await codeOf(lost.ready())).toBe('ERR_MODEL_NOT_FOUND');
    expect(await codeOf(lost.run('x'))).toBe('ERR_MODEL_NOT_FOUND');
    expect(await codeOf(lost.embed('x'))).toBe('ERR_MODEL_NOT_FOUND');
    await lost.close();
    expect(await codeOf(lost.run('x'))).toBe('ERR_MODEL_NOT_FOUND');
  });

  test('a corrupt ONNX file is an error that names it', async () => {
    const copy = await mkdtemp(join(tmpdir(), 'gteway-'));
    try {
      await cp(model, copy, { recursive: true });
      await writeFile(join(copy, 'onnx', 'model.onnx'), 'this is no model');
      const error: unknown = await Session.load(copy).catch((reason: unknown) => reason);
      expect((error as GtewayError).code).toBe('ERR_MODEL_INVALID');
      expect((error as GtewayError).message).toContain('model.onnx');
      await writeFile(join(copy, 'onnx', 'model.onnx'), '');
      expect(await codeOf(Session.load(copy))).toBe('ERR_MODEL_INVALID');
    } finally {
      await rm(copy, { recursive: true });
    }
  });

  test('a graph and a configuration that contradict each other are not loaded', async () => {
    const copy = await mkdtemp(join(tmpdir(), 'gteway-'));
    try {
      await cp(model, copy, { recursive: true });
      await writeFile(
        join(copy, 'config.json'),
        JSON.stringify({ model_type: 'bert', hidden_size: 128, max_position_embeddings: 512 }),
      );
      await expect(Session.load(copy)).rejects.toThrow(
        /config.json says the vectors have 128 values.*model.onnx makes 96/s,
      );
    } finally {
      await rm(copy, { recursive: true });
    }
  });
});

describe('signal and timeout', () => {
  const texts = Array.from({ length: 4000 }, (_, i) => `${i} ${'a rather long text '.repeat(20)}`);

  test('an abort rejects at once with ERR_ABORTED, an AbortError whose cause is the reason', async () => {
    const controller = new AbortController();
    const call = session.embed(texts, { signal: controller.signal });
    controller.abort(new Error('changed my mind'));
    const error: unknown = await call.catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'ERR_ABORTED', name: 'AbortError' });
    expect((error as Error).cause).toEqual(new Error('changed my mind'));
    expect(await session.run('still works')).toHaveLength(dimensions);
  });

  test('a signal that fired before the call means the work is never begun', async () => {
    expect(await codeOf(session.embed(texts, { signal: AbortSignal.abort() }))).toBe('ERR_ABORTED');
    expect(await codeOf(session.run('x', { signal: AbortSignal.abort() }))).toBe('ERR_ABORTED');
  });

  test('a timeout rejects with ERR_TIMEOUT, a TimeoutError', async () => {
    const error: unknown = await session.embed(texts, { timeout: 0.02 }).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'ERR_TIMEOUT', name: 'TimeoutError' });
  });

  test('a call that ends in time leaves no listener on the signal', async () => {
    const controller = new AbortController();
    let listeners = 0;
    const { signal } = controller;
    const add = signal.addEventListener.bind(signal);
    const remove = signal.removeEventListener.bind(signal);
    signal.addEventListener = (...args: Parameters<typeof add>) => {
      listeners++;
      add(...args);
    };
    signal.removeEventListener = (...args: Parameters<typeof remove>) => {
      listeners--;
      remove(...args);
    };
    await session.embed('x', { signal, timeout: 60 });
    expect(listeners).toBe(0);
  });

  test('a signal during loading does not stop the loading', async () => {
    await using early = new Session(model);
    const controller = new AbortController();
    const call = early.run('x', { signal: controller.signal });
    controller.abort();
    expect(await codeOf(call)).toBe('ERR_ABORTED');
    expect(await early.run('x')).toHaveLength(dimensions);
  });
});

describe('the queue', () => {
  test('a call that would pass maxQueue is refused at once; what is in flight is not harmed', async () => {
    await using small = await Session.load(model, { threads: 1, maxQueue: 10 });
    // Each as long as a text can be, so that the worker cannot have done some 300 of them before the last call is made.
    const long = (i: number): string => `${i} ${'!'.repeat(600)}`;
    const big = small.embed(Array.from({ length: 50 }, (_, i) => long(i)));
    const codes = await Promise.all(Array.from({ length: 300 }, (_, i) => codeOf(small.run(long(i)))));
    expect(codes).toContain('ERR_OVERLOADED');
    expect(codes.filter((code) => code !== 'ERR_OVERLOADED' && code !== 'resolved')).toEqual([]);
    expect((await big).rows).toBe(50);
    expect(await small.run('welcome again')).toHaveLength(dimensions);
  });

  test('maxQueueBytes bounds what many short calls cannot: long texts', async () => {
    await using small = await Session.load(model, { maxQueueBytes: 10_000 });
    const long = 'long text '.repeat(600);
    const codes = await Promise.all(Array.from({ length: 20 }, (_, i) => codeOf(small.run(`${i} ${long}`))));
    expect(codes).toContain('ERR_OVERLOADED');
    expect(codes.filter((code) => code !== 'ERR_OVERLOADED' && code !== 'resolved')).toEqual([]);
    expect(await small.run('welcome again')).toHaveLength(dimensions);
  });

  test('its bounds hold for calls that wait for the model to be loaded, too', async () => {
    await using loading = new Session(model, { maxQueue: 3 });
    const controller = new AbortController();
    const aborted = codeOf(loading.embed(['a', 'b'], { signal: controller.signal }));
    const waiting = codeOf(loading.run('c'));
    expect(await codeOf(loading.run('d'))).toBe('ERR_OVERLOADED');
    expect(loading.stats().queue).toMatchObject({ calls: 2, texts: 3, bytes: 3 });
    controller.abort();
    expect(await aborted).toBe('ERR_ABORTED');
    expect(loading.stats()).toMatchObject({ queue: { calls: 1, texts: 1 }, calls: { rejected: 1, cancelled: 1 } });
    const rows = codeOf(loading.embed(['e', 'f']));
    expect(await Promise.all([waiting, rows])).toEqual(['resolved', 'resolved']);
    expect(loading.stats().queue).toMatchObject({ calls: 0, texts: 0, bytes: 0 });
  });

  test('an abort and a timeout leave it at once', async () => {
    const controller = new AbortController();
    const texts = Array.from({ length: 900 }, (_, i) => `${i} ${'a rather long text '.repeat(20)}`);
    const calls = [
      codeOf(session.embed(texts, { signal: controller.signal })),
      codeOf(session.embed(texts, { signal: controller.signal })),
      codeOf(session.embed(texts, { timeout: 0.001 })),
    ];
    expect(session.stats().queue.texts).toBeGreaterThan(0);
    controller.abort();
    expect(await Promise.all(calls)).toEqual(['ERR_ABORTED', 'ERR_ABORTED', 'ERR_TIMEOUT']);
    await until(() => expect(session.stats().queue).toMatchObject({ calls: 0, texts: 0, bytes: 0 }));
    const { completed } = session.stats().calls;
    expect(await codeOf(session.embed(texts, { signal: AbortSignal.abort() }))).toBe('ERR_ABORTED');
    expect(session.stats().calls.completed).toBe(completed);
  });

  test('a short call is not stuck behind a bulk call', async () => {
    let bulkDone = false;
    const bulk = session.embed(Array.from({ length: 5000 }, (_, i) => `${i} ${'bulk '.repeat(60)}`)).then(() => {
      bulkDone = true;
    });
    await new Promise((resolve) => setImmediate(resolve));
    await session.run('interactive');
    expect(bulkDone).toBe(false);
    await bulk;
  });
});

describe('close', () => {
  test('is idempotent, and later calls reject with ERR_CLOSED', async () => {
    const closing = await Session.load(model);
    await Promise.all([closing.close(), closing.close()]);
    await closing.close();
    expect(await codeOf(closing.run('x'))).toBe('ERR_CLOSED');
    expect(await codeOf(closing.embed([]))).toBe('ERR_CLOSED');
  });

  test('while busy rejects every call in flight with ERR_CLOSED, and settles them all', async () => {
    const busy = await Session.load(model);
    const calls = Array.from({ length: 50 }, (_, i) =>
      busy.embed(Array.from({ length: 200 }, () => `call ${i} `.repeat(50))),
    );
    const outcomes = Promise.allSettled(calls);
    await busy.close();
    for (const outcome of await outcomes) {
      if (outcome.status === 'rejected') expect((outcome.reason as GtewayError).code).toBe('ERR_CLOSED');
    }
    expect((await outcomes).filter((outcome) => outcome.status === 'rejected').length).toBeGreaterThan(0);
  });

  test('while loading ends the loading; those who wait get ERR_CLOSED', async () => {
    const loading = new Session(model);
    const [ready, call] = [loading.ready(), loading.run('x')];
    const codes = Promise.all([codeOf(ready), codeOf(call)]);
    await loading.close();
    expect(await codes).toEqual(['ERR_CLOSED', 'ERR_CLOSED']);
  });

  test('await using closes', async () => {
    let kept: Session;
    {
      await using scoped = await Session.load(model);
      kept = scoped;
    }
    expect(await codeOf(kept.run('x'))).toBe('ERR_CLOSED');
  });
});
