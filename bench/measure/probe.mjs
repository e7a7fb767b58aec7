/**
 * The rate of the machine itself, in the same seconds as a sample: engines are judged by the fraction of it that they
 * reach, because shared machines change their speed by several times within seconds.
 */
import { spawnSync } from 'node:child_process';
import { buildNative } from './native-target.mjs';

/**
 * @typedef {'avx512_fma_f32' | 'avx2_fma_f32' | 'avx512_bf16' | 'avx512_vnni' | 'avx_vnni' | 'amx_bf16' | 'amx_int8'} Instruction
 * @typedef {{ gops: number, best: number, mode?: 'fast' | 'slow' }} MultiplyRate 10^9 multiplications and additions per
 *   second, over all threads; `mode` of matrix units that have two speeds
 */

/** For each precision, what multiplies it, best first: the flag of Linux, the instruction set's name in gteway. */
const multipliers = {
  fp32: [
    { flag: 'avx512f', isa: 'avx512', instruction: 'avx512_fma_f32' },
    { flag: 'fma', isa: 'avx2', instruction: 'avx2_fma_f32' },
  ],
  bf16: [
    { flag: 'amx_bf16', isa: 'amx', instruction: 'amx_bf16' },
    { flag: 'avx512_bf16', isa: 'avx512bf16', instruction: 'avx512_bf16' },
  ],
  int8: [
    { flag: 'amx_int8', isa: 'amx', instruction: 'amx_int8' },
    { flag: 'avx512_vnni', isa: 'avx512vnni', instruction: 'avx512_vnni' },
    { flag: 'avx_vnni', isa: 'avxvnni', instruction: 'avx_vnni' },
  ],
};

/** What each instruction set of gteway's needs of the machine, as Linux names it. */
const flagOfIsa = {
  avx2: 'fma',
  avxvnni: 'avx_vnni',
  avx512: 'avx512f',
  avx512bf16: 'avx512_bf16',
  avx512vnni: 'avx512_vnni',
  amx: 'amx_bf16',
};

/**
 * Why a variant is not worth starting here; undefined where it is.
 *
 * @param {import('../drivers/driver.mjs').Variant} variant
 * @param {string[]} flags of the machine
 * @returns {string | undefined}
 */
export function notHere({ dtype, forcedIsa }, flags) {
  if (forcedIsa === undefined) return undefined;
  if (!flags.includes(flagOfIsa[/** @type {'amx'} */ (forcedIsa)])) return `this machine has no ${forcedIsa}`;
  if (multipliersOf(dtype, flags)[0]?.isa === forcedIsa) return 'what runs without forcing it';
  return undefined;
}

/**
 * The instruction sets of this machine that multiply a precision, best first.
 *
 * @param {import('../drivers/driver.mjs').Dtype} dtype
 * @param {string[]} flags of the machine
 * @returns {{ isa: string, instruction: Instruction }[]}
 */
export function multipliersOf(dtype, flags) {
  const all = dtype === 'auto' ? [] : multipliers[dtype];
  return /** @type {any} */ (all.filter(({ flag }) => flags.includes(flag)));
}

export class Probe {
  #program;
  /** @type {string[]} why parts of it cannot be asked */
  missing = [];

  /**
   * Builds what it runs, where that can be built.
   *
   * @param {number} threads
   */
  constructor(threads) {
    this.threads = threads;
    this.#program = this.#build('gteway_probe');
  }

  /** @param {string} target */
  #build(target) {
    try {
      return buildNative(target);
    } catch (error) {
      this.missing.push(/** @type {Error} */ (error).message);
      return undefined;
    }
  }

  /**
   * The rate at this moment, which takes some 10 ms (30 of the matrix units).
   *
   * @param {Instruction | undefined} instruction
   * @param {number} [threads]
   * @returns {MultiplyRate | undefined} where the probe is not built, or the machine lacks the instruction
   */
  multiply(instruction, threads = this.threads) {
    if (instruction === undefined) return undefined;
    const milliseconds = instruction.startsWith('amx') ? '30' : '8';
    return ask(this.#program, ['--threads', String(threads), '--milliseconds', milliseconds, instruction])?.[
      instruction
    ];
  }

  /**
   * Reading memory in order, on all threads; `best` is what a quiet moment gave.
   *
   * @param {'memory_read' | 'l3_read'} kind
   * @returns {{ gbps: number, best: number } | undefined}
   */
  read(kind) {
    return ask(this.#program, ['--threads', String(this.threads), '--milliseconds', '100', kind])?.[kind];
  }
}

/**
 * @param {string | undefined} program
 * @param {string[]} parameters
 * @returns {any} undefined where there is no answer
 */
function ask(program, parameters) {
  if (program === undefined) return undefined;
  const { status, stdout } = spawnSync(program, parameters, { encoding: 'utf8' });
  return status === 0 ? JSON.parse(stdout) : undefined;
}
