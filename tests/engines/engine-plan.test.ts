/** Which engines are tried, in which order, by what the options say and the machine can do. */
import { describe, expect, test } from 'vitest';
import { type EngineOptions, type Machine, planEngines } from '../../lib/engines/engine-plan.js';
import { Session } from '../../lib/index.js';

const noBf16 = 'bf16 needs more';
const machines = {
  all: { encoderUnavailable: (dtype) => (dtype === 'fp16' ? 'no fp16' : null), encoderSlower: () => null },
  fp32: { encoderUnavailable: (dtype) => (dtype === 'fp32' ? null : `${dtype} needs more`), encoderSlower: () => null },
  scalar: { encoderUnavailable: () => null, encoderSlower: () => 'only scalar kernels' },
  none: { encoderUnavailable: (dtype) => `no kernels for ${dtype}`, encoderSlower: () => null },
} satisfies Record<string, Omit<Machine, 'cudaAbsent'>>;

/** `encoder/bf16`, `ort:cuda/fp32`, `not bf16`, in the plan's order. */
function plan(machine: keyof typeof machines, options: Partial<EngineOptions>, cuda = false): string[] {
  const steps = planEngines(
    { engine: 'auto', dtype: 'auto', device: 'cpu', ...options },
    { ...machines[machine], cudaAbsent: () => (cuda ? null : 'no device') },
  );
  return steps.map((step) => {
    if ('wanted' in step) return `not ${step.wanted}`;
    const { engine, device, dtype } = step;
    return `${engine}${device === 'cuda' ? ':cuda' : ''}/${dtype}`;
  });
}

describe('planEngines', () => {
  test.each([
    // Every dtype on a machine that has all
    ['all', {}, ['encoder/bf16', 'encoder/fp32', 'ort/fp32']],
    ['all', { dtype: 'fp32' }, ['encoder/fp32', 'ort/fp32']],
    ['all', { dtype: 'bf16' }, ['encoder/bf16', 'not bf16', 'ort/fp32']],
    ['all', { dtype: 'int8' }, ['encoder/int8', 'ort/int8']],
    ['all', { dtype: 'fp16' }, ['not encoder', 'ort/fp16']],
    // One engine
    ['all', { engine: 'ort' }, ['ort/fp32']],
    ['all', { engine: 'ort', dtype: 'int8' }, ['ort/int8']],
    ['all', { engine: 'encoder' }, ['encoder/bf16', 'encoder/fp32']],
    ['all', { engine: 'encoder', dtype: 'int8' }, ['encoder/int8']],
    // Lesser machines
    ['fp32', {}, ['not bf16', 'encoder/fp32', 'ort/fp32']],
    ['fp32', { dtype: 'bf16' }, ['not encoder', 'not bf16', 'ort/fp32']],
    ['fp32', { dtype: 'int8' }, ['not encoder', 'ort/int8']],
    ['scalar', {}, ['not encoder', 'ort/fp32']],
    ['scalar', { engine: 'encoder', dtype: 'fp32' }, ['encoder/fp32']],
    ['none', {}, ['not encoder', 'ort/fp32']],
    // Files
    ['all', { modelFile: 'onnx/model_fp16.onnx' }, ['encoder/bf16', 'encoder/fp32', 'ort/fp16']],
    ['all', { modelFile: 'onnx/model_quantized.onnx' }, ['encoder/bf16', 'encoder/fp32', 'ort/int8']],
    ['all', { modelFile: 'model.safetensors' }, ['encoder/bf16', 'encoder/fp32']],
    ['fp32', { modelFile: 'model.safetensors' }, ['not bf16', 'encoder/fp32']],
  ] as const)('on a machine with %s, %j: %j', (machine, options, expected) => {
    expect(plan(machine, options)).toEqual(expected);
  });

  test("only 'auto' asks for a cosine, and of fp32 nobody does", () => {
    const cosines = (dtype: 'auto' | 'bf16' | 'int8'): (number | undefined)[] =>
      planEngines({ engine: 'encoder', device: 'cpu', dtype }, { ...machines.all, cudaAbsent: () => 'no device' }).map(
        (step) => ('engine' in step ? step.leastCosine : NaN),
      );
    expect(cosines('auto')).toEqual([0.9999, undefined]);
    expect(cosines('bf16')).toEqual([undefined]);
    expect(cosines('int8')).toEqual([undefined]);
  });

  test.each([
    [{ device: 'auto' }, false, ['not cuda', 'encoder/bf16', 'encoder/fp32', 'ort/fp32']],
    [{ device: 'auto' }, true, ['ort:cuda/fp32', 'encoder/bf16', 'encoder/fp32', 'ort/fp32']],
    [{ device: 'cuda' }, true, ['ort:cuda/fp32']],
    [{ device: 'cuda', dtype: 'bf16' }, true, ['not bf16', 'ort:cuda/fp32']],
    [{ device: 'auto', engine: 'encoder' }, true, ['encoder/bf16', 'encoder/fp32']],
  ] as const)('with %j, where a GPU may be there (%j): %j', (options, cuda, expected) => {
    expect(plan('all', options, cuda)).toEqual(expected);
  });

  test('the encoder asked for by name, or by its file, is an error where it cannot run', () => {
    expect(() => plan('none', { engine: 'encoder' })).toThrow(/no kernels for bf16; no kernels for fp32/);
    expect(() => plan('fp32', { engine: 'encoder', dtype: 'bf16' })).toThrow(noBf16);
    expect(() => plan('none', { modelFile: 'model.safetensors' })).toThrow(
      expect.objectContaining({ code: 'ERR_DEVICE_UNAVAILABLE' }) as Error,
    );
  });
});

describe('options that contradict each other', () => {
  test.each([
    [{ engine: 'ort', dtype: 'bf16' }, /ONNX Runtime runs no bf16 files/],
    [{ engine: 'ort', modelFile: 'model.safetensors' }, /only the encoder reads this one/],
    [{ engine: 'encoder', dtype: 'fp16' }, /not in fp16/],
    [{ engine: 'encoder', gpuMemoryLimit: 1e9 }, /gpuMemoryLimit bounds ONNX Runtime's arena/],
    [{ modelFile: 'model.safetensors', dtype: 'fp16' }, /not in fp16/],
  ] as const)('%j is a RangeError', (options, message) => {
    expect(() => new Session('./model', options)).toThrow(RangeError);
    expect(() => new Session('./model', options)).toThrow(message);
  });
});
