import { describe, expect, test } from 'vitest';
import { multipliersOf, notHere } from '../../bench/measure/probe.mjs';
import { operations, weightBytes } from '../../bench/measure/work.mjs';

const gteSmall = { num_hidden_layers: 12, hidden_size: 384, intermediate_size: 1536 };

describe('the work of an encoder', () => {
  test('weights of gte-small: 42 MB in bf16, 21 MB in int8', () => {
    expect(weightBytes(gteSmall, 'bf16')).toBe(42_467_328);
    expect(weightBytes(gteSmall, 'int8')).toBe(21_233_664);
    expect(weightBytes(gteSmall, 'fp32')).toBe(84_934_656);
    expect(weightBytes(gteSmall, 'auto')).toBeNaN();
  });

  test('one token: two operations for each weight, and attention to itself', () => {
    expect(operations(gteSmall, [1])).toBe(2 * 21_233_664 + 4 * 12 * 384);
  });

  test('grows linearly with texts, and with the square of a length only by attention', () => {
    expect(operations(gteSmall, [30, 30])).toBe(2 * operations(gteSmall, [30]));
    expect(operations(gteSmall, [60]) - operations(gteSmall, [30, 30])).toBe(4 * 12 * 384 * (60 * 60 - 2 * 30 * 30));
  });
});

describe('variants that force an instruction set', () => {
  const variant = (dtype: 'fp32' | 'bf16' | 'int8', forcedIsa?: string) => ({
    ...{ name: 'variant', dtype, way: 'together' as const },
    ...(forcedIsa === undefined ? {} : { forcedIsa }),
  });
  const zen = ['avx2', 'fma', 'avx512f', 'avx512_vnni', 'avx512_bf16'];
  const sapphire = [...zen, 'amx_bf16', 'amx_int8'];

  test('are left out where the machine lacks it, or runs it unforced', () => {
    expect(notHere(variant('fp32', 'avx2'), zen)).toBeUndefined();
    expect(notHere(variant('fp32', 'avx512'), zen)).toBe('what runs without forcing it');
    expect(notHere(variant('int8', 'avx512vnni'), zen)).toBe('what runs without forcing it');
    expect(notHere(variant('int8', 'avx512vnni'), sapphire)).toBeUndefined();
    expect(notHere(variant('bf16', 'avx512bf16'), ['avx2', 'fma'])).toBe('this machine has no avx512bf16');
    expect(notHere(variant('fp32'), [])).toBeUndefined();
  });

  test('the best multiplier of each precision comes first', () => {
    expect(multipliersOf('int8', sapphire).map(({ isa }) => isa)).toEqual(['amx', 'avx512vnni']);
    expect(multipliersOf('fp32', zen)[0]?.instruction).toBe('avx512_fma_f32');
    expect(multipliersOf('fp32', ['avx2', 'fma'])[0]?.instruction).toBe('avx2_fma_f32');
    expect(multipliersOf('auto', zen)).toEqual([]);
    expect(multipliersOf('bf16', [])).toEqual([]);
  });
});
