/** session.embedStream: order, bounded read-ahead, pauses, leaving early, and failures. */
import { afterAll, beforeAll, expect, inject, test, vi } from 'vitest';
import { Session } from '../lib/index.js';

let session: Session;
beforeAll(async () => {
  session = await Session.load(inject('fixture'));
});
afterAll(() => session.close());

async function* numbered(count: number, onRead: (i: number) => void = () => undefined): AsyncGenerator<string> {
  for (let i = 0; i < count; i++) {
    onRead(i);
    yield await Promise.resolve(`text ${i} ${'and more '.repeat(i % 7)}`);
  }
}

test('gives a row per text, in order, the same as embed gives', async () => {
  const texts: string[] = [];
  for await (const text of numbered(5000)) texts.push(text);
  const expected = await session.embed(texts);
  let i = 0;
  for await (const row of session.embedStream(numbered(5000))) {
    if (i % 500 === 0) for (const [k, value] of row.entries()) expect(value).toBeCloseTo(expected.at(i)[k] ?? NaN, 5);
    i++;
  }
  expect(i).toBe(5000);
});

test('takes plain iterables, and none at all', async () => {
  const rows: Float32Array[] = [];
  for await (const row of session.embedStream(new Set(['a', 'b']), { dimensions: 8 })) rows.push(row);
  expect(rows.map((row) => row.length)).toEqual([8, 8]);
  for await (const row of session.embedStream([])) rows.push(row);
  expect(rows).toHaveLength(2);
});

test('reads ahead by a few thousand texts and no more, however slowly rows are taken', async () => {
  let read = 0;
  const stream = session.embedStream(numbered(100_000, () => read++));
  await stream.next();
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(read).toBeLessThan(4 * 2048);
  await stream.return();
});

test('a source that pauses gets the rows of what it has given', async () => {
  let resume = (): void => undefined;
  async function* pausing(): AsyncGenerator<string> {
    yield 'before';
    await new Promise<void>((resolve) => (resume = resolve));
    yield 'after';
  }
  const stream = session.embedStream(pausing());
  const first = await stream.next();
  expect(first.done).toBe(false);
  resume();
  expect((await stream.next()).done).toBe(false);
  expect((await stream.next()).done).toBe(true);
});

test('leaving the loop closes the source, and the session goes on', async () => {
  let closed = false;
  async function* source(): AsyncGenerator<string> {
    try {
      yield* numbered(100_000);
    } finally {
      closed = true;
    }
  }
  for await (const row of session.embedStream(source())) {
    expect(row).toHaveLength(96);
    break;
  }
  await vi.waitFor(() => expect(closed).toBe(true));
  expect(await session.run('x')).toHaveLength(96);
});

test('failures of the source, bad items, abort and misuse each reject', async () => {
  async function* failing(): AsyncGenerator<string> {
    yield await Promise.resolve('fine');
    throw new Error('the source broke');
  }
  async function drain(texts: unknown, options?: object): Promise<void> {
    for await (const row of session.embedStream(texts as string[], options)) expect(row).toBeDefined();
  }
  await expect(drain(failing())).rejects.toThrow('the source broke');
  await expect(drain(['a', 7])).rejects.toThrow(/text 1 must be a string, not 7/);
  await expect(drain('letters')).rejects.toThrow(/expected an iterable of strings, not 'letters'/);
  await expect(drain(['a'], { timeout: 1 })).rejects.toThrow(/unknown option 'timeout'/);
  await expect(drain(['a'], { pooling: 'none' })).rejects.toThrow(/one row per text/);
  await expect(drain(['a'], { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'ERR_ABORTED' });
  const controller = new AbortController();
  const stream = session.embedStream(numbered(50_000), { signal: controller.signal });
  await stream.next();
  controller.abort();
  await expect(
    (async () => {
      for await (const row of { [Symbol.asyncIterator]: () => stream }) expect(row).toBeDefined();
    })(),
  ).rejects.toMatchObject({ code: 'ERR_ABORTED' });
});
