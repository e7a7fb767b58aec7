/** Slices of any source: bounded reading ahead, order, and every way a stream can end early. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { Embeddings } from '../../lib/vectors/embeddings.js';
import { embedSlices, type EmbeddedSlice, type SliceSource } from '../../lib/embedding/embed-slices.js';

const bounds = { mostTexts: 4, mostCharacters: 1000 };

/** A row per text, which is the number that the text begins with. */
function embeddingsOf(texts: readonly string[]): Embeddings {
  const numbers = Float32Array.from(texts, (text) => Number.parseInt(text));
  return new Embeddings(
    numbers,
    1,
    new Uint32Array(texts.length),
    texts.map(() => false),
  );
}

interface Source extends SliceSource {
  given: number;
  closed: number;
}

function numbers(count: number, options: { failAt?: number; close?: () => Promise<void> } = {}): Source {
  return {
    given: 0,
    closed: 0,
    next() {
      if (this.given === options.failAt) return Promise.reject(new Error('the source broke'));
      return Promise.resolve(this.given < count ? [`${this.given++}`] : undefined);
    },
    async close() {
      this.closed++;
      await options.close?.();
    },
    position() {
      return this.given;
    },
  };
}

/** Does what it is told when it is told. */
function controlled(): {
  embed: (texts: readonly string[], signal: AbortSignal) => Promise<Embeddings>;
  waiting: { texts: readonly string[]; signal: AbortSignal; finish: () => void; fail: (error: Error) => void }[];
} {
  const waiting: ReturnType<typeof controlled>['waiting'] = [];
  return {
    waiting,
    embed: (texts, signal) =>
      new Promise((resolve, reject) =>
        waiting.push({ texts, signal, finish: () => resolve(embeddingsOf(texts)), fail: reject }),
      ),
  };
}

async function settled(turns = 5): Promise<void> {
  for (let i = 0; i < turns; i++) await nextTurn();
}

const at = <T>(list: readonly T[], i: number): T => {
  const value = list[i];
  if (value === undefined) throw new Error(`there is no element ${i}`);
  return value;
};

describe('reading ahead', () => {
  test('three slices are under way and a fourth is read, however long nobody asks', async () => {
    const source = numbers(1000);
    const { embed, waiting } = controlled();
    const stream = embedSlices(source, embed, { bounds });
    await settled();
    expect(source.given).toBe(0);
    const first = stream.next();
    await settled();
    expect([waiting.length, source.given]).toEqual([3, 16]);
    at(waiting, 0).finish();
    expect((await first).value).toMatchObject({ texts: ['0', '1', '2', '3'] });
    await settled();
    // The slice that is being used is the fourth that exists.
    expect([waiting.length, source.given]).toEqual([4, 20]);
    await stream.return();
  });

  test('slices are given in order, whichever is done first', async () => {
    const { embed, waiting } = controlled();
    const given: EmbeddedSlice[] = [];
    const all = (async () => {
      for await (const slice of embedSlices(numbers(12), embed, { bounds })) given.push(slice);
    })();
    await settled();
    at(waiting, 2).finish();
    at(waiting, 1).finish();
    await settled();
    expect(given).toHaveLength(0);
    at(waiting, 0).finish();
    await all;
    expect(given.flatMap(({ texts }) => texts)).toEqual(Array.from({ length: 12 }, (_, i) => `${i}`));
    expect(given.flatMap(({ embeddings }) => [...embeddings.data])).toEqual(Array.from({ length: 12 }, (_, i) => i));
    expect(given.at(-1)?.position).toBe(12);
  });

  test('an idle session gets at once what a silent source has said; a busy one gets whole slices', async () => {
    let say: (text: string) => void = () => undefined;
    const source: SliceSource = {
      next: () => new Promise((resolve) => (say = (text) => resolve([text]))),
      close: () => Promise.resolve(),
    };
    const { embed, waiting } = controlled();
    const stream = embedSlices(source, embed, { bounds });
    const first = stream.next();
    await settled();
    say('1');
    await settled();
    expect(waiting.map(({ texts }) => texts)).toEqual([['1']]);
    for (const text of ['2', '3']) {
      say(text);
      await settled();
    }
    expect(waiting).toHaveLength(1);
    at(waiting, 0).finish();
    await first;
    const second = stream.next();
    await settled();
    expect(waiting.map(({ texts }) => texts)).toEqual([['1'], ['2', '3']]);
    at(waiting, 1).finish();
    await second;
    await stream.return();
  });

  test('long texts fill a slice by their characters', async () => {
    const texts = ['1'.repeat(600), '2'.repeat(600), '3', '4'];
    const source: SliceSource = {
      next: () => Promise.resolve(texts.length > 0 ? [texts.shift() ?? ''] : undefined),
      close: () => Promise.resolve(),
    };
    const sizes: number[] = [];
    for await (const { texts: slice } of embedSlices(source, (slice) => Promise.resolve(embeddingsOf(slice)), {
      bounds,
    })) {
      sizes.push(slice.length);
    }
    expect(sizes).toEqual([2, 2]);
  });

  test('items that are no texts keep their place and are not embedded', async () => {
    const items = ['0', new TypeError('first'), '1', new TypeError('second'), new TypeError('third')];
    const source: SliceSource = {
      next: () => Promise.resolve(items.splice(0, 5).length > 0 ? ['0', new TypeError('no text'), '2'] : undefined),
      close: () => Promise.resolve(),
    };
    const slices: EmbeddedSlice[] = [];
    for await (const slice of embedSlices(source, (texts) => Promise.resolve(embeddingsOf(texts)), { bounds })) {
      slices.push(slice);
    }
    expect(slices).toMatchObject([{ texts: ['0', '2'], invalid: new Map([[1, new TypeError('no text')]]) }]);
  });
});

describe('an end before the end', () => {
  const immediately = (texts: readonly string[]): Promise<Embeddings> => Promise.resolve(embeddingsOf(texts));

  test('leaving closes the source once and fires the signal of what is under way', async () => {
    const source = numbers(1000);
    const { embed, waiting } = controlled();
    const stream = embedSlices(source, embed, { bounds });
    const first = stream.next();
    await settled();
    at(waiting, 0).finish();
    await first;
    await stream.return();
    expect(source.closed).toBe(1);
    expect(waiting.every(({ signal }) => signal.aborted)).toBe(true);
    // What fails afterwards is nobody's unhandled rejection.
    for (const { fail } of waiting.slice(1)) fail(new Error('aborted'));
    await settled();
  });

  test('leaving waits until the source has closed, and tells when it cannot', async () => {
    let isClosed = false;
    const slow = numbers(1000, { close: async () => void (await settled(), (isClosed = true)) });
    for await (const slice of embedSlices(slow, immediately, { bounds })) {
      expect(slice.texts).toHaveLength(4);
      break;
    }
    expect(isClosed).toBe(true);
    const broken = numbers(1000, { close: () => Promise.reject(new Error('cannot close')) });
    const leave = async (): Promise<void> => {
      for await (const slice of embedSlices(broken, immediately, { bounds })) if (slice.texts.length > 0) break;
    };
    await expect(leave()).rejects.toThrow('cannot close');
  });

  test('a source that is silent in the middle of a read is not waited for', async () => {
    let next = 0;
    let closed = 0;
    const source: SliceSource = {
      next: () => (next++ < 4 ? Promise.resolve([`${next}`]) : new Promise(() => undefined)),
      close: () => (closed++, new Promise(() => undefined)),
    };
    for await (const slice of embedSlices(source, immediately, { bounds })) {
      expect(slice.texts).toHaveLength(4);
      break;
    }
    expect(closed).toBe(1);
  });

  test('a source that fails does so behind the slices before, and is not closed', async () => {
    const source = numbers(1000, { failAt: 6 });
    const given: string[] = [];
    const all = async (): Promise<void> => {
      for await (const { texts } of embedSlices(source, immediately, { bounds })) given.push(...texts);
    };
    await expect(all()).rejects.toThrow('the source broke');
    expect(given).toEqual(['0', '1', '2', '3', '4', '5']);
    expect(source.closed).toBe(0);
  });

  test('a slice that fails does so in its place; the source is closed, and its own failure not told', async () => {
    const source = numbers(1000, { close: () => Promise.reject(new Error('cannot close')) });
    const given: string[] = [];
    const embed = (texts: readonly string[]): Promise<Embeddings> =>
      texts.includes('9') ? Promise.reject(new Error('the engine failed')) : immediately(texts);
    const all = async (): Promise<void> => {
      for await (const { texts } of embedSlices(source, embed, { bounds })) given.push(...texts);
    };
    await expect(all()).rejects.toThrow('the engine failed');
    expect(given).toHaveLength(8);
    expect(source.closed).toBe(1);
  });

  test('what is watched for ends it although source and session are silent', async () => {
    let end: (reason: unknown) => void = () => undefined;
    let watching = 0;
    const silent: SliceSource = { next: () => new Promise(() => undefined), close: () => Promise.resolve() };
    const stream = embedSlices(silent, immediately, {
      watch(callback) {
        end = callback;
        watching++;
        return () => watching--;
      },
    });
    const first = stream.next();
    await settled();
    expect(watching).toBe(1);
    end(new Error('enough'));
    await expect(first).rejects.toThrow('enough');
    expect(watching).toBe(0);
  });
});
