/** The addon's view of the machine, and the kernels it exports. */
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { binding } from '../../lib/native/binding.js';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** cpu() in a process of its own, since the choice of kernels is made once per process. */
function cpuWith(forced: string): { isa?: string; kernels?: Record<string, string>; code?: string; message?: string } {
  const script = `
    const addon = require('node-gyp-build')(process.cwd());
    try { console.log(JSON.stringify(addon.cpu())); }
    catch (error) { console.log(JSON.stringify({ code: error.code, message: error.message })); }`;
  const output = execFileSync(process.execPath, ['-e', script], {
    cwd: root,
    encoding: 'utf8',
    env: { ...process.env, GTEWAY_FORCE_ISA: forced },
  });
  return JSON.parse(output) as ReturnType<typeof cpuWith>;
}

describe('cpu()', () => {
  test('describes this machine', () => {
    const { brand, features, threads, usableCpus, cpuQuota, isas, isa, kernels } = binding().cpu();
    expect(brand).not.toBe('');
    expect(Object.values(features)).toContain(true);
    expect(features).toHaveProperty('avx512_bf16');
    expect(threads).toBeGreaterThanOrEqual(1);
    expect(threads).toBe(Math.min(usableCpus, Math.ceil(cpuQuota ?? Infinity)));
    expect(isas.at(-1)).toBe('scalar');
    expect(isas).toContain(isa);
    expect(Object.keys(kernels)).toContain('pool_mean_f32');
    for (const source of Object.values(kernels)) expect(isas).toContain(source);
  });

  test('GTEWAY_FORCE_ISA chooses each set this machine has', () => {
    for (const isa of binding().cpu().isas) expect(cpuWith(isa).isa).toBe(isa);
    expect(new Set(Object.values(cpuWith('scalar').kernels ?? {}))).toEqual(new Set(['scalar']));
    expect(cpuWith('').isa).toBe(binding().cpu().isas[0]);
  });

  test('GTEWAY_FORCE_ISA with an unknown set is refused with the list of those there are', () => {
    const { code, message } = cpuWith('mmx');
    expect(code).toBe('ERR_INVALID_ARGUMENT');
    expect(message).toContain("GTEWAY_FORCE_ISA: instruction set 'mmx'");
    expect(message).toContain('scalar');
  });
});

describe('kernels of the addon', () => {
  test('toInt8 scales, rounds half to even and clamps', () => {
    const x = Float32Array.of(0.5, 1.5, 2.5, -0.5, 200, -200, NaN, Infinity);
    expect([...binding().toInt8(x, 1)]).toEqual([0, 2, 2, 0, 127, -127, 0, 127]);
    expect([...binding().toInt8(Float32Array.of(1, -0.5), 127)]).toEqual([127, -64]);
  });

  test('toBits packs the signs of each row', () => {
    const x = Float32Array.of(1, -1, 1, 0, 1, 1, 1, 1, 1, /* row 2 */ -1, 1, -1, -1, -1, -1, -1, -1, -1);
    expect([...binding().toBits(x, 9)]).toEqual([0b10101111, 0b10000000, 0b01000000, 0]);
    expect(binding().toBits(new Float32Array(), 9)).toHaveLength(0);
  });

  test('arguments of the wrong kind are errors with a code, not crashes', () => {
    const untyped = binding() as unknown as Record<string, (...args: unknown[]) => unknown>;
    const calls: [string, unknown[]][] = [
      ['toInt8', []],
      ['toInt8', [new Float64Array(1), 1]],
      ['toInt8', [new Float32Array(1), '1']],
      ['toBits', [new Float32Array(1), 0]],
      ['toBits', [new Float32Array(1), NaN]],
      ['toBits', [new Float32Array(5), 2]],
      ['similarityMatrix', [new Float32Array(2), [1, 2], 2]],
      ['similarityMatrix', [new Float32Array(3), new Float32Array(2), 2]],
      ['similarityMatrix', [new Float32Array(2), new Float32Array(2), -2]],
      ['ortStatus', []],
    ];
    for (const [name, args] of calls) {
      expect(() => untyped[name]?.(...args), `${name}(${args.join()})`).toThrow(
        expect.objectContaining({ code: 'ERR_INVALID_ARGUMENT' }) as Error,
      );
    }
  });
});
