/** The encoder for CUDA devices as JavaScript sees it, where there is no GPU: who gets it, and what it says then. */
import { existsSync } from 'node:fs';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { type EngineAttempt, type Machine, planEngines } from '../../lib/engines/engine-plan.js';
import { binding } from '../../lib/native/binding.js';
import { cudaLibraryPath } from '../../lib/native/cuda-library.js';
import { fillSessionOptions } from '../../lib/engines/session-options.js';

const everything: Machine = {
  encoderUnavailable: () => null,
  encoderSlower: () => null,
  cudaAbsent: () => null,
};

afterEach(() => vi.unstubAllEnvs());

describe('the encoder for CUDA devices', () => {
  test('is tried only where engine and device are both asked for by name', () => {
    const engines = ['auto', 'ort', 'encoder'] as const;
    const devices = ['auto', 'cpu', 'cuda'] as const;
    for (const engine of engines) {
      for (const device of devices) {
        const attempts = planEngines({ engine, device, dtype: 'auto' }, everything).filter(
          (step): step is EngineAttempt => 'engine' in step,
        );
        const onGpu = attempts.filter((step) => step.engine === 'encoder' && step.device === 'cuda');
        const isAskedFor = engine === 'encoder' && device === 'cuda';
        expect(onGpu, `${engine} on ${device}`).toHaveLength(isAskedFor ? 1 : 0);
        if (isAskedFor) expect(attempts).toEqual([{ engine: 'encoder', device: 'cuda', dtype: 'fp16' }]);
      }
    }
    expect(planEngines({ engine: 'encoder', device: 'cuda', dtype: 'bf16' }, everything)).toEqual([
      { engine: 'encoder', device: 'cuda', dtype: 'bf16' },
    ]);
  });

  test('computes in fp16 and bf16', () => {
    const asked = { engine: 'encoder', device: 'cuda' } as const;
    for (const dtype of ['auto', 'fp16', 'bf16'] as const)
      expect(fillSessionOptions({ ...asked, dtype }).dtype).toBe(dtype);
    expect(() => fillSessionOptions({ ...asked, dtype: 'int8' })).toThrow(/'int8'.*fp16 and bf16/);
    expect(() => fillSessionOptions({ engine: 'encoder', dtype: 'fp16' })).toThrow(/on the CPU .* not in fp16/);
    expect(() => fillSessionOptions({ device: 'cuda', modelFile: 'model.safetensors' })).toThrow(
      /device 'cuda' needs engine 'encoder'/,
    );
  });

  test('a library that is not there, or is something else, is told with what to do', () => {
    vi.stubEnv('GTEWAY_CUDA_LIBRARY', '/nowhere/libgteway_cuda.so');
    expect(() => cudaLibraryPath()).toThrow(/GTEWAY_CUDA_LIBRARY names \/nowhere/);
    expect(() => binding().cudaDevices('/nowhere/libgteway_cuda.so')).toThrow(/cannot be opened/);
    expect(() => binding().cudaDevices(process.execPath)).toThrow();
  });

  test('without a driver the library says so', (context) => {
    let path = '';
    try {
      path = cudaLibraryPath();
    } catch (error) {
      context.skip((error as Error).message);
    }
    if (existsSync('/dev/nvidiactl')) context.skip('there is a GPU here');
    expect(() => binding().cudaDevices(path)).toThrow(/looking for CUDA devices: cudaError/);
  });
});
