/** Lists of texts, cut into slices: every way of cutting gives what one native call would have given. */
import { describe, expect, test } from 'vitest';
import type { NativeEmbedded } from '../../types/binding.js';
import { embedList, type ListOptions } from '../../lib/embedding/embed-list.js';
import { sliceBounds } from '../../lib/embedding/slice-bounds.js';

const dimensions = 2;

/** Rows that tell their text: [its number, its length]; a text that begins with ! fails. Perhaps a row per token. */
function rowsOf(texts: readonly string[], isRowPerText = true): NativeEmbedded {
  const rows = texts.flatMap((text) => {
    const failed = text.startsWith('!');
    const row = failed ? [0, 0] : [Number.parseInt(text), text.length];
    if (isRowPerText) return [row];
    return failed ? [] : Array.from({ length: tokensOf(text) }, () => row);
  });
  return {
    data: Float32Array.from(rows.flat()),
    tokens: Uint32Array.from(texts, (text) => (text.startsWith('!') ? 0 : tokensOf(text))),
    truncated: Uint8Array.from(texts, (text) => Number(text.length > 8)),
    errors: texts.flatMap((text, index) =>
      text.startsWith('!') ? [{ index, code: 'ERR_TEXT_TOO_LONG', message: `text ${index} is too long` }] : [],
    ),
  };
}

const tokensOf = (text: string): number => (text.length % 3) + 1;

function texts(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `${i}${'x'.repeat((i * 7) % 11)}`);
}

const defaults: ListOptions = {
  dimensions,
  isRowPerText: true,
  wait: false,
  stopAtError: true,
  ended: () => false,
};

/** An `embed` that answers after a random number of turns, and what it was asked. */
function slowly(isRowPerText = true): {
  embed: (texts: readonly string[], wait: boolean) => Promise<NativeEmbedded>;
  slices: { texts: readonly string[]; wait: boolean }[];
  mostAtOnce: () => number;
} {
  const slices: { texts: readonly string[]; wait: boolean }[] = [];
  let [running, most] = [0, 0];
  return {
    slices,
    mostAtOnce: () => most,
    async embed(slice, wait) {
      slices.push({ texts: slice, wait });
      most = Math.max(most, ++running);
      for (let turns = Math.floor(Math.random() * 5); turns > 0; turns--) {
        await new Promise((resolve) => setImmediate(resolve));
      }
      running--;
      return rowsOf(slice, isRowPerText);
    },
  };
}

describe('embedList', () => {
  test.each([0, 1, 2, 3, 4, 5, 7, 100])('%i texts in slices of up to 3 give what one call gives', async (count) => {
    for (const isRowPerText of [true, false]) {
      const { embed, slices, mostAtOnce } = slowly(isRowPerText);
      const bounds = { mostTexts: 3, mostCharacters: 20 };
      const list = texts(count);
      expect(await embedList(list, embed, { ...defaults, isRowPerText, bounds })).toEqual(rowsOf(list, isRowPerText));
      expect(mostAtOnce()).toBeLessThanOrEqual(3);
      expect(slices.flatMap((slice) => slice.texts)).toEqual(list);
      // Once the first is in, the call has been admitted: the others wait for room.
      expect(slices.map(({ wait }) => wait)).toEqual(slices.map((_, i) => i > 0));
      for (const { texts: slice } of slices) {
        const characters = slice.reduce((sum, text) => sum + text.length, 0);
        expect(slice.length <= 3 && (characters <= 20 || slice.length === 1)).toBe(true);
      }
    }
  });

  test('a text that is longer than a slice is one by itself', async () => {
    const { embed, slices } = slowly();
    const list = ['1', '2'.repeat(50), '3'];
    await embedList(list, embed, { ...defaults, bounds: { mostTexts: 10, mostCharacters: 20 } });
    expect(slices.map((slice) => slice.texts.length)).toEqual([1, 1, 1]);
  });

  test('up to 1,024 short texts are one call, which is handed the list itself', async () => {
    const { embed, slices } = slowly();
    const list = texts(sliceBounds.mostTexts);
    await embedList(list, embed, defaults);
    expect(slices).toHaveLength(1);
    expect(slices[0]?.texts).toBe(list);
  });

  test('failed texts are named by their place in the whole list', async () => {
    const list = texts(20);
    list[7] = '!';
    list[15] = '!!';
    const options = { ...defaults, stopAtError: false, bounds: { mostTexts: 3, mostCharacters: 1000 } };
    expect(await embedList(list, slowly().embed, options)).toEqual(rowsOf(list));
    const first = await embedList(list, slowly().embed, { ...options, stopAtError: true });
    expect(first.errors[0]).toEqual({ index: 7, code: 'ERR_TEXT_TOO_LONG', message: 'text 7 is too long' });
  });

  test('a slice that fails ends the call: no other is begun, and nothing is left unhandled', async () => {
    let begun = 0;
    const embed = async (): Promise<NativeEmbedded> => {
      begun++;
      await new Promise((resolve) => setImmediate(resolve));
      throw new Error('the engine failed');
    };
    const bounds = { mostTexts: 1, mostCharacters: 100 };
    await expect(embedList(texts(50), embed, { ...defaults, bounds })).rejects.toThrow('the engine failed');
    expect(begun).toBe(3);
  });

  test('a full queue refuses the call by its first slice alone', async () => {
    let asked = 0;
    const embed = (): Promise<NativeEmbedded> => {
      asked++;
      throw new Error('full');
    };
    const bounds = { mostTexts: 1, mostCharacters: 100 };
    await expect(embedList(texts(50), embed, { ...defaults, bounds })).rejects.toThrow('full');
    expect(asked).toBe(1);
  });

  test('what throws at once later on leaves nothing unhandled either', async () => {
    let asked = 0;
    const embed = async (slice: readonly string[]): Promise<NativeEmbedded> => Promise.resolve(rowsOf(slice));
    const closing = (slice: readonly string[]): Promise<NativeEmbedded> => {
      if (++asked === 2) throw new Error('closed');
      return asked === 1 ? Promise.reject(new Error('closed')) : embed(slice);
    };
    const bounds = { mostTexts: 1, mostCharacters: 100 };
    await expect(embedList(texts(50), closing, { ...defaults, bounds })).rejects.toThrow('closed');
  });

  test('when nobody waits any more, no further slice is begun', async () => {
    const { embed, slices } = slowly();
    const bounds = { mostTexts: 1, mostCharacters: 100 };
    await embedList(texts(50), embed, { ...defaults, bounds, ended: () => slices.length >= 5 });
    expect(slices.length).toBeLessThanOrEqual(5 + 2);
  });

  test('a result that no memory can hold is ERR_OUT_OF_MEMORY', async () => {
    const bounds = { mostTexts: 1, mostCharacters: 100 };
    await expect(
      embedList(['1', '2'], slowly().embed, { ...defaults, bounds, dimensions: 2 ** 52 }),
    ).rejects.toMatchObject({ code: 'ERR_OUT_OF_MEMORY' });
  });
});
