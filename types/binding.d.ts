/**
 * The boundary between lib/ and the addon, written down. lib/native/binding.ts is the only file that loads it.
 *
 * Arguments are positional, already validated and already defaulted: options objects never cross.
 */

/** What the .node exports. */
export interface NativeBinding extends CpuBinding {
  /** The package version the addon was compiled from. */
  readonly version: string;
}

/** native/src/addon/cpu_wrap.cpp */
export interface CpuBinding {
  /** Throws ERR_INVALID_ARGUMENT where GTEWAY_FORCE_ISA names a set this machine lacks. */
  cpu(): CpuInfo;
  /** Cosines of every row of `a` with every row of `b`, [rows of a × rows of b]; 0 where a row is the zero vector. */
  similarityMatrix(a: Float32Array, b: Float32Array, dimensions: number): Float32Array;
  /** clamp(round(x × scale), -127, 127), ties to even, NaN to 0. */
  toInt8(x: Float32Array, scale: number): Int8Array;
  /** Sign bits (x > 0), most significant first, each row padded to whole bytes: [rows × ceil(dimensions / 8)]. */
  toBits(x: Float32Array, dimensions: number): Uint8Array;
}

export interface CpuInfo {
  /** The processor's name for people; "unknown" where nothing tells it. */
  readonly brand: string;
  /** Instruction sets by their names in /proc/cpuinfo; true where processor and operating system allow them. */
  readonly features: Readonly<Record<string, boolean>>;
  /** Threads worth computing with here: CPU affinity, and the cgroup's quota rounded up. */
  readonly threads: number;
  /** The instruction set the kernels were chosen for: the best one, or GTEWAY_FORCE_ISA. */
  readonly isa: string;
  /** Those this machine can run, best first; the last is "scalar". */
  readonly isas: readonly string[];
  /** Which instruction set each kernel comes from. */
  readonly kernels: Readonly<Record<string, string>>;
}
