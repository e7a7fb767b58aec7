/**
 * Which engines may run a model, in the order in which they are tried. A pure function of the options and of what the
 * machine can do; whether a model is one the encoder computes shows only when it is read.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { GtewayError } from '../errors.js';
import { type Dtype, dtypeOfFile, isSafetensors } from '../models/model-files.js';
import { binding } from '../native/binding.js';
import { ortLibraryPath } from '../native/ort-library.js';
import type { FilledSessionOptions } from './session-options.js';

/** One way to run a model. */
export interface EngineAttempt {
  readonly engine: 'encoder' | 'ort' | 'static';
  readonly device: 'cpu' | 'cuda';
  /** What the encoder computes in; for ONNX Runtime, which file is taken. */
  readonly dtype: Dtype;
  /** What the encoder's vectors must keep to fp32, as it is measured when it is loaded; absent: whatever it is. */
  readonly leastCosine?: number;
}

/** What was wanted and is known not to be had. */
export interface Fallback {
  readonly wanted: string;
  readonly reason: string;
}

/** What to try, and what to note on the way to the next step; at least one is an attempt, and the last one is. */
export type EnginePlan = readonly (EngineAttempt | Fallback)[];

/** What the plan asks the machine. */
export interface Machine {
  /** Why the encoder cannot compute in this dtype; null: it can. */
  encoderUnavailable(dtype: string): string | null;
  /** Why ONNX Runtime is the faster one; null: it is not. */
  encoderSlower(): string | null;
  /** Why there can be no CUDA device; null: there may be one. */
  cudaAbsent(): string | null;
}

export type EngineOptions = Pick<FilledSessionOptions, 'engine' | 'device' | 'dtype'> & {
  readonly modelFile?: string | undefined;
};

/** What `'auto'` promises of a vector beside that in fp32. */
const promisedCosine = 0.9999;

/**
 * What `'auto'` tries, fastest first; whether the promise holds is measured of each model. int8 is not among them: of no
 * model that was measured does it hold (native/src/kernels/README.md), and every load would pay for the attempt.
 */
const automatic: readonly Dtype[] = ['bf16', 'fp32'];

/**
 * Throws ERR_DEVICE_UNAVAILABLE where the encoder was asked for by name, or by a file only it reads, and this machine
 * cannot run it.
 */
export function planEngines(options: EngineOptions, machine: Machine = thisMachine): EnginePlan {
  const { engine, device, dtype, modelFile } = options;
  const onlyEncoder = engine === 'encoder' || isSafetensors(modelFile);
  const ortOn = (where: 'cpu' | 'cuda'): EnginePlan => [
    ...(dtype === 'bf16'
      ? [{ wanted: 'bf16', reason: 'ONNX Runtime runs the fp32 file: there are none in bf16' }]
      : []),
    { engine: 'ort', device: where, dtype: ortDtype(dtype, modelFile) },
  ];
  // Only who asks for both by name gets the encoder on a GPU: it was never run on one.
  if (device === 'cuda' && engine === 'encoder') return [{ engine, device, dtype: dtype === 'auto' ? 'fp16' : dtype }];
  if (device === 'cuda') return ortOn('cuda');
  const plan: (EngineAttempt | Fallback)[] = [];
  if (device === 'auto' && !onlyEncoder) {
    const absent = machine.cudaAbsent();
    plan.push(...(absent === null ? ortOn('cuda') : [{ wanted: 'cuda', reason: absent }]));
  }
  const slower = onlyEncoder || engine === 'ort' ? null : machine.encoderSlower();
  if (slower !== null) plan.push({ wanted: 'encoder', reason: slower });
  else if (engine !== 'ort') plan.push(...encoderSteps(dtype, machine));
  if (!onlyEncoder) return [...plan, ...ortOn('cpu')];

  if (plan.some((step) => 'engine' in step)) return plan;
  const reasons = plan.map((step) => ('reason' in step ? step.reason : '')).join('; ');
  throw new GtewayError('ERR_DEVICE_UNAVAILABLE', `the encoder cannot run on this machine: ${reasons}`, {
    details: { engine: 'encoder', dtype },
  });
}

/**
 * The only way to run a static model. Throws ERR_MODEL_UNSUPPORTED or ERR_DEVICE_UNAVAILABLE where something else was
 * asked for by name: a table of vectors is added up in fp32 on the CPU, and nothing is gained by another way.
 */
export function planStatic(model: string, { engine, device, dtype }: EngineOptions): EngineAttempt {
  const refuse = (code: 'ERR_MODEL_UNSUPPORTED' | 'ERR_DEVICE_UNAVAILABLE', what: string): never => {
    throw new GtewayError(
      code,
      `'${model}' is a static model, a table of token vectors without a network: ${what}. Leave the option out.`,
      { details: { model } },
    );
  };
  if (engine !== 'auto') refuse('ERR_MODEL_UNSUPPORTED', `there is nothing in it for engine '${engine}' to compute`);
  if (device === 'cuda') refuse('ERR_DEVICE_UNAVAILABLE', "device 'cuda' has no engine for it");
  if (dtype !== 'auto' && dtype !== 'fp32') {
    refuse('ERR_MODEL_UNSUPPORTED', `its vectors are added up in fp32, not in ${dtype}`);
  }
  return { engine: 'static', device: 'cpu', dtype: 'fp32' };
}

function encoderSteps(dtype: 'auto' | Dtype, machine: Machine): EnginePlan {
  const steps = (dtype === 'auto' ? automatic : [dtype]).map((wanted): EngineAttempt | Fallback => {
    const reason = machine.encoderUnavailable(wanted);
    if (reason !== null) return { wanted, reason };
    const attempt = { engine: 'encoder', device: 'cpu', dtype: wanted } as const;
    return dtype === 'auto' && wanted !== 'fp32' ? { ...attempt, leastCosine: promisedCosine } : attempt;
  });
  if (steps.some((step) => 'engine' in step)) return steps;
  return [{ wanted: 'encoder', reason: steps.map((step) => ('reason' in step ? step.reason : '')).join('; ') }];
}

/** ONNX Runtime has one file per precision, and none for bf16. */
function ortDtype(dtype: 'auto' | Dtype, modelFile: string | undefined): Dtype {
  if (dtype === 'bf16') return 'fp32';
  if (dtype !== 'auto') return dtype;
  return modelFile === undefined ? 'fp32' : dtypeOfFile(modelFile);
}

const thisMachine: Machine = {
  encoderUnavailable: (dtype) => binding().encoderUnavailable(dtype),
  encoderSlower: () => {
    if (!ortIsThere()) return null;
    const { isa } = binding().cpu();
    if (isa === 'scalar') return 'of its kernels only the scalar ones run here, which ONNX Runtime outruns';
    if (isa.startsWith('neon')) return 'its kernels for Arm were never measured beside ONNX Runtime';
    return null;
  },
  cudaAbsent,
};

/** Otherwise the encoder is the only one, however fast. Whether the library can be opened shows later. */
function ortIsThere(): boolean {
  try {
    ortLibraryPath();
    return true;
  } catch {
    return false;
  }
}

/** Looks for NVIDIA's driver, so that ONNX Runtime need not be opened where there is none. */
function cudaAbsent(): string | null {
  const { platform, env } = process;
  if (platform === 'linux') {
    const devices = ['/dev/nvidiactl', '/dev/dxg', '/dev/nvhost-gpu']; // Linux; Windows' WSL; Jetson
    return devices.some((path) => existsSync(path)) ? null : 'there is no NVIDIA device (/dev/nvidiactl)';
  }
  if (platform === 'win32') {
    const driver = join(env.SystemRoot ?? 'C:\\Windows', 'System32', 'nvcuda.dll');
    return existsSync(driver) ? null : `there is no NVIDIA driver (${driver})`;
  }
  return `CUDA does not exist on ${platform}`;
}
