/**
 * The boundary between lib/ and the addon, written down. lib/native/binding.ts is the only file that loads it.
 *
 * Arguments are positional, already validated and already defaulted: options objects never cross.
 */

/** A token that is matched in the text itself, as plain data. */
export interface NativeAddedToken {
  content: string;
  id: number;
  singleWord: boolean;
  leftStrip: boolean;
  rightStrip: boolean;
  normalized: boolean;
  special: boolean;
}

/** What lib/tokenizer-json.ts makes of a tokenizer.json. */
export interface NativeTokenizerConfig {
  vocabularyTokens: string[];
  /** Beside vocabularyTokens; may have holes and duplicates. */
  vocabularyIds: Int32Array;
  unkToken: string;
  continuingSubwordPrefix: string;
  maxInputCharsPerWord: number;
  cleanText: boolean;
  handleChineseChars: boolean;
  stripAccents: boolean;
  lowercase: boolean;
  /** Special tokens before and behind a text. */
  prefixIds: Int32Array;
  suffixIds: Int32Array;
  /** Where two have the same content, the first is matched. */
  addedTokens: NativeAddedToken[];
}

export interface NativeTokenizer {
  /** `maxTokens` may be Infinity. */
  encode(text: string, maxTokens: number, addSpecialTokens: boolean): { ids: Int32Array; truncated: boolean };
  /**
   * Each part is texts joined, `rows` says how many, `lengths` their UTF-16 units one after the other; `oneByte` whether
   * the part has no character above U+00FF. `truncated` is 0 or 1 per text.
   */
  encodeBatch(
    parts: readonly string[],
    oneByte: readonly boolean[],
    rows: Uint32Array,
    lengths: Uint32Array,
    maxTokens: number,
    addSpecialTokens: boolean,
  ): { ids: Int32Array; offsets: Uint32Array; truncated: Uint8Array };
  count(text: string, addSpecialTokens: boolean): number;
  /** Empty where no token has this id. */
  token(id: number): string;
  /** Whether a text cut behind a space has the tokens of its two halves: no added token holds white space. */
  readonly partsAtSpaces: boolean;
  /** How many ids the post-processor adds to a text. */
  readonly specialTokensAdded: number;
}

/** What the .node exports. */
export interface NativeBinding extends LogBinding, CpuBinding, OrtBinding, SessionBinding {
  /** The package version the addon was compiled from. */
  readonly version: string;
  readonly NativeTokenizer: new (config: NativeTokenizerConfig) => NativeTokenizer;
}

/** native/src/addon/log_wrap.cpp */
export interface LogBinding {
  /** Replaces this environment's listener; undefined: none. It must not throw. */
  onLog(listener: ((level: number, source: string, message: string) => void) | undefined): void;
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
  /** Logical CPUs in the process's affinity mask. */
  readonly usableCpus: number;
  /** The cgroup's quota in CPUs, such as 1.5; null: none. */
  readonly cpuQuota: number | null;
  /** The instruction set the kernels were chosen for: the best one, or GTEWAY_FORCE_ISA. */
  readonly isa: string;
  /** Those this machine can run, best first; the last is "scalar". */
  readonly isas: readonly string[];
  /** Which instruction set each kernel comes from. */
  readonly kernels: Readonly<Record<string, string>>;
}

/** native/src/addon/ort_wrap.cpp */
export interface OrtBinding {
  /**
   * Opens ONNX Runtime's shared library, as the first session would, and tries its CUDA provider. Throws
   * ERR_RUNTIME_UNAVAILABLE.
   *
   * @param path absolute
   */
  ortStatus(path: string): OrtStatus;
}

export interface OrtStatus {
  readonly version: string;
  /** What the library was built with, whether it can be used here or not. */
  readonly providers: readonly string[];
  /** Why CUDA device 0 cannot be used; null: it can. */
  readonly noCuda: string | null;
}

/** native/src/addon/session_wrap.cpp */
export interface SessionBinding {
  readonly NativeSession: new (
    tokenizer: object,
    modelPath: string,
    dtype: string,
    device: 'auto' | 'cpu' | 'cuda',
    deviceId: number,
    /** Bytes; 0: no limit. */
    gpuMemoryLimit: number,
    threads: number,
    /** 0: the engine's own choice. */
    maxBatchTokens: number,
    /** Texts. */
    maxQueue: number,
    /** Absolute path of ONNX Runtime's shared library. */
    ortLibrary: string,
  ) => NativeSession;
}

export interface NativeSession {
  /** The same promise each time. Rejects when loading failed; the session is closed then. */
  ready(): Promise<NativeLoaded>;
  /**
   * @param call the caller's number for it, unique in this session, for cancel()
   * @param maxTokens texts are cut to so many, special tokens counted
   * @param dimensions how many values of each row to keep
   * Throws ERR_OVERLOADED and ERR_CLOSED at once; everything else is a rejection.
   */
  embed(
    call: number,
    texts: readonly string[],
    pooling: 'mean' | 'cls' | 'none',
    normalize: boolean,
    truncate: boolean,
    maxTokens: number,
    dimensions: number,
  ): Promise<NativeEmbedded>;
  /** Its promise rejects with ERR_ABORTED, unless it is settled already. */
  cancel(call: number): void;
  /** Pending calls reject with ERR_CLOSED. Resolves when the threads have ended and the model's memory is free. */
  close(): Promise<void>;
}

export interface NativeLoaded {
  readonly engine: string;
  readonly device: string;
  readonly dtype: string;
  readonly dimensions: number;
  readonly maxBatchTokens: number;
  readonly fallbacks: readonly { readonly wanted: string; readonly reason: string }[];
}

export interface NativeEmbedded {
  /** [rows, dimensions], row-major; rows: one per text, or one per token with pooling 'none'. */
  readonly data: Float32Array<ArrayBuffer>;
  /** Per text. */
  readonly tokens: Uint32Array<ArrayBuffer>;
  /** Per text, 0 or 1. */
  readonly truncated: Uint8Array<ArrayBuffer>;
}
