/** session.embedStream: order, bounded read-ahead, pauses, leaving early, and failures. */
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { Session } from '../../lib/index.js';
import { until } from '../until.js';

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
  await until(() => expect(closed).toBe(true));
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

describe('texts that fail by themselves', () => {
  const tooLong = 'word '.repeat(1000);

  async function* items(): AsyncGenerator {
    for (let i = 0; i < 3000; i++) yield await Promise.resolve(i === 1500 ? tooLong : i === 2500 ? 7 : `text ${i}`);
  }

  test("onError 'continue': an Error in the place of each, which knows its number; the others have their rows", async () => {
    const failures: [number, Error][] = [];
    let count = 0;
    for await (const row of session.embedStream(items(), { truncate: false, onError: 'continue' })) {
      if (row instanceof Error) failures.push([count, row]);
      else expect(row).toHaveLength(96);
      count++;
    }
    expect(count).toBe(3000);
    expect(failures).toMatchObject([
      [1500, { code: 'ERR_TEXT_TOO_LONG', details: { index: 1500 } }],
      [2500, { name: 'TypeError' }],
    ]);
    expect(failures[0]?.[1].message).toMatch(/^text 1500: it has more than 512 tokens/);
    expect(failures[1]?.[1].message).toContain('text 2500 must be a string, not 7');
  });

  test.each([
    ['the first of them ends the stream behind the rows before it', { truncate: false }, 1500, 'ERR_TEXT_TOO_LONG'],
    ['what is no string does so too', {}, 2500, undefined],
  ])('otherwise %s', async (_, options, expected, code) => {
    let count = 0;
    let closed = false;
    async function* source(): AsyncGenerator<string> {
      try {
        yield* items() as AsyncGenerator<string>;
        yield* numbered(20_000);
      } finally {
        closed = true;
      }
    }
    const error: unknown = await (async () => {
      for await (const row of session.embedStream(source(), options)) count += row.length / 96;
    })().catch((reason: unknown) => reason);
    expect(count).toBe(expected);
    if (code === undefined) expect(error).toBeInstanceOf(TypeError);
    else expect(error).toMatchObject({ code, details: { index: expected } });
    expect(closed).toBe(true);
  });
});

test('a full queue makes it wait: it gets every row while others are refused', async () => {
  await using small = await Session.load(inject('fixture'), { maxQueue: 3 });
  const streaming = new AbortController();
  let refused = 0;
  const others = (async () => {
    while (!streaming.signal.aborted) {
      const calls = await Promise.allSettled(Array.from({ length: 8 }, () => small.run('another text')));
      refused += calls.filter(({ status }) => status === 'rejected').length;
    }
  })();
  const rows = await Promise.all(
    [300, 200].map(async (count) => {
      let got = 0;
      for await (const row of small.embedStream(numbered(count))) got += row.length / 96;
      return got;
    }),
  );
  streaming.abort();
  await others;
  expect(rows).toEqual([300, 200]);
  expect(refused).toBeGreaterThan(0);
});

describe('a source that is silent', () => {
  function silent(): { source: AsyncIterable<string>; opened: () => number } {
    let opened = 0;
    const source = {
      [Symbol.asyncIterator]() {
        opened++;
        return { next: () => new Promise<IteratorResult<string>>(() => undefined) };
      },
    };
    return { source, opened: () => opened };
  }

  test('does not keep an abort waiting', async () => {
    const controller = new AbortController();
    const next = session.embedStream(silent().source, { signal: controller.signal }).next();
    setTimeout(() => controller.abort(), 10);
    await expect(next).rejects.toMatchObject({ code: 'ERR_ABORTED' });
  });

  test('nor the closing of the session', async () => {
    const closing = await Session.load(inject('fixture'));
    const next = closing.embedStream(silent().source).next();
    setTimeout(() => void closing.close(), 10);
    await expect(next).rejects.toMatchObject({ code: 'ERR_CLOSED' });
  });

  test('is not even opened where the signal has fired, or the session is closed', async () => {
    const { source, opened } = silent();
    const aborted = session.embedStream(source, { signal: AbortSignal.abort() }).next();
    await expect(aborted).rejects.toMatchObject({ code: 'ERR_ABORTED' });
    const closed = await Session.load(inject('fixture'));
    await closed.close();
    await expect(closed.embedStream(source).next()).rejects.toMatchObject({ code: 'ERR_CLOSED' });
    expect(opened()).toBe(0);
  });
});

test('misuse is thrown at once, where the stream is made', () => {
  expect(() => session.embedStream('letters' as unknown as string[])).toThrow(/expected an iterable of strings/);
  expect(() => session.embedStream([], { timeout: 1 } as object)).toThrow(/unknown option 'timeout'/);
  expect(() => session.embedStream([], { dimensions: 0 })).toThrow(RangeError);
  expect(() => session.embedStream([], { onError: 'ignore' as 'throw' })).toThrow(
    /'throw' or 'continue', not 'ignore'/,
  );
});

test('an array of promises is read as for-await reads it', async () => {
  const rows: Float32Array[] = [];
  const promised = [Promise.resolve('a'), Promise.resolve('b')] as unknown as string[];
  for await (const row of session.embedStream(promised)) rows.push(row);
  expect(rows).toHaveLength(2);
});
