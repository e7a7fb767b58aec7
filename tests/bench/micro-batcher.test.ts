import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { microBatcher } from '../../bench/serving/micro-batcher.mjs';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** Vectors of two values: the length of the text, and its place in the batch. */
function embedder(): {
  batches: string[][];
  embed: (texts: string[]) => Promise<{ data: Float32Array; dimensions: number }>;
} {
  const batches: string[][] = [];
  return {
    batches,
    embed(texts) {
      batches.push(texts);
      const data = Float32Array.from(texts.flatMap((text, place) => [text.length, place]));
      return Promise.resolve({ data, dimensions: 2 });
    },
  };
}

test('a full batch goes at once, the rest when the first of them has waited, and each gets its own row', async () => {
  const { batches, embed } = embedder();
  const request = microBatcher(embed, { most: 3, milliseconds: 10 });
  const rows = ['a', 'bb', 'ccc', 'dddd', 'eeeee'].map((text) => request(text));
  expect(batches).toEqual([['a', 'bb', 'ccc']]);
  await vi.advanceTimersByTimeAsync(9);
  expect(batches).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(1);
  expect(batches[1]).toEqual(['dddd', 'eeeee']);
  expect((await Promise.all(rows)).map((row) => Array.from(row))).toEqual([
    [1, 0],
    [2, 1],
    [3, 2],
    [4, 0],
    [5, 1],
  ]);
});

test('a failing call fails its own requests and no others', async () => {
  let calls = 0;
  const request = microBatcher(
    () => {
      if (++calls === 1) return Promise.reject(new Error('broken'));
      return Promise.resolve({ data: Float32Array.of(1), dimensions: 1 });
    },
    { most: 1 },
  );
  await expect(request('first')).rejects.toThrow('broken');
  expect(Array.from(await request('second'))).toEqual([1]);
});
