/**
 * The boundary between lib/ and the addon, written down. lib/native/binding.ts is the only file that loads it.
 *
 * Arguments are already validated and already defaulted. Those of calls are positional; what makes a session or a
 * tokenizer is an object.
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

/** A literal, or else characters of a set, at least and at most so many in a row. */
export interface NativePattern {
  literal: string;
  characters: string;
  /** All white space is in the set, too. */
  whitespace: boolean;
  least: number;
  /** May be Infinity. */
  most: number;
}

export type NativeNormalizer =
  | {
      type: 'BertNormalizer';
      cleanText: boolean;
      handleChineseChars: boolean;
      stripAccents: boolean;
      lowercase: boolean;
    }
  | { type: 'NFC' | 'NFD' | 'NFKC' | 'NFKD' | 'Lowercase' | 'StripAccents' | 'Nmt' }
  | { type: 'Replace'; pattern: NativePattern; text: string }
  | { type: 'Prepend'; text: string }
  | { type: 'Strip'; left: boolean; right: boolean }
  | { type: 'Precompiled'; bytes: Uint8Array };

export type NativeSplitBehavior = 'Removed' | 'Isolated' | 'MergedWithPrevious' | 'MergedWithNext' | 'Contiguous';

export type NativePreTokenizer =
  | { type: 'BertPreTokenizer' | 'Whitespace' | 'WhitespaceSplit' }
  | { type: 'Punctuation' | 'Digits'; behavior: NativeSplitBehavior }
  | { type: 'Pattern'; pattern: NativePattern; behavior: NativeSplitBehavior; invert: boolean }
  | { type: 'Regex'; regex: 'gpt2' | 'cl100k' | 'qwen' }
  | { type: 'ByteLevel'; addPrefixSpace: boolean; useRegex: boolean }
  | { type: 'Metaspace'; text: string; prepend: 'always' | 'first' | 'never'; split: boolean };

/** What lib/tokenizer/tokenizer-json.ts makes of a tokenizer.json. */
export interface NativeTokenizerConfig {
  model: 'WordPiece' | 'Unigram' | 'BPE';
  /** Unigram: beside vocabularyTokens, whose ids count from 0. */
  scores: Float64Array;
  /** Unigram. */
  unkId: number;
  /** BPE: left, right and merged id of each rule, the first learned first. */
  merges: Int32Array;
  /** BPE. */
  endOfWordSuffix: string;
  fuseUnk: boolean;
  ignoreMerges: boolean;
  /** BPE and Unigram. */
  byteFallback: boolean;
  /** The last pre-tokenizer, and no other, is ByteLevel. */
  byteLevel: boolean;
  /** WordPiece between BERT's normalizer, or none, and its pre-tokenizer: the four switches below count, not the steps. */
  bert: boolean;
  normalizers: NativeNormalizer[];
  preTokenizers: NativePreTokenizer[];
  vocabularyTokens: string[];
  /** Beside vocabularyTokens; may have holes and duplicates. */
  vocabularyIds: Int32Array;
  /** With BPE empty: what is unknown is left out. */
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
  /**
   * What is made of two texts: special tokens, -1 for the first text, -2 for the second, each once and in this order;
   * empty: pairs cannot be made. Beside it their type ids.
   */
  pairIds: Int32Array;
  pairTypeIds: Int32Array;
  /** Where two have the same content, the first is matched. */
  addedTokens: NativeAddedToken[];
  /** Of static models: the id that is left out of every text; -1: none. */
  leftOutId: number;
  /** Of static models: how many characters of a text are read for each token of a limit; 0: all. */
  charsPerToken: number;
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
  /** Of a longer pair `second` is cut, and `first` only where it alone leaves no room. Needs `pairs`. */
  encodePair(
    first: string,
    second: string,
    maxTokens: number,
    addSpecialTokens: boolean,
  ): { ids: Int32Array; typeIds: Int32Array; truncated: boolean };
  count(text: string, addSpecialTokens: boolean): number;
  /**
   * Tokens of text.slice(spans[2 * i], spans[2 * i + 1]) each by itself, without special tokens; with `charsPerToken` as
   * many as its characters take up of a limit, where those are more. `oneByte`: the text has no character above U+00FF.
   */
  countSpans(text: string, oneByte: boolean, spans: Uint32Array): Uint32Array;
  /** Empty where no token has this id. */
  token(id: number): string;
  /** Whether a text cut behind a space has the tokens of its two halves: no added token holds white space. */
  readonly partsAtSpaces: boolean;
  /** How many ids the post-processor adds to a text. */
  readonly specialTokensAdded: number;
  /** Whether encodePair() can be called: the configuration has a template of pairs. */
  readonly pairs: boolean;
  /** How many ids the template of pairs adds. */
  readonly pairTokensAdded: number;
}

/** What the .node exports. */
export interface NativeBinding extends LogBinding, CpuBinding, OrtBinding, CudaBinding, SessionBinding, SearchBinding {
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
  /** Why the packed encoder cannot compute in `dtype` on this machine; null: it can. Throws as cpu() does. */
  encoderUnavailable(dtype: string): string | null;
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

/** native/src/addon/cuda_wrap.cpp */
export interface CudaBinding {
  /**
   * Opens libgteway_cuda and asks for the GPUs. Throws ERR_RUNTIME_UNAVAILABLE (it cannot be opened, or is of another
   * version of gteway) and ERR_DEVICE_UNAVAILABLE (no driver, no GPU).
   *
   * @param path absolute
   */
  cudaDevices(path: string): readonly CudaDevice[];
}

export interface CudaDevice {
  readonly name: string;
  /** Such as "9.0". */
  readonly computeCapability: string;
  /** The CUDA version that the driver serves. */
  readonly driver: string;
  /** That of the library. */
  readonly runtime: string;
  /** Bytes. */
  readonly memory: number;
  readonly freeMemory: number;
}

/** native/src/addon/search_wrap.cpp */
export interface SearchBinding {
  /**
   * The `k` best rows for each query, of equal scores the one with the lower index first; rows whose score is NaN are in no
   * result. Small searches have settled when it returns, larger ones run on native threads.
   *
   * @param rows whole rows of the form: dimensions values, or ceil(dimensions / 8) bytes
   * @param shared `rows` lies in a SharedArrayBuffer and is read in place; otherwise a larger search copies it, before this
   *   returns
   * @param dimensions from 1 to 131071
   * @param queries whole rows of dimensions finite values, copied
   * Throws ERR_OUT_OF_MEMORY at once, or rejects with it.
   */
  topK(
    rows: Float32Array | Int8Array | Uint8Array,
    shared: boolean,
    form: 'float32' | 'int8' | 'bits',
    dimensions: number,
    queries: Float32Array,
    k: number,
  ): Promise<NativeFound>;
}

export interface NativeFound {
  /** Per query: how many hits it has. */
  readonly counts: Uint32Array;
  /** Of all hits, query after query, best first. */
  readonly indices: Uint32Array;
  readonly scores: Float64Array;
}

/** native/src/addon/session_wrap.cpp */
export interface SessionBinding {
  /**
   * Sessions of the same files, engine options and threads share one engine and its worker threads, also across
   * worker_threads; queue bounds, cache and statistics are each session's own.
   */
  readonly NativeSession: new (options: NativeSessionOptions) => NativeSession;
  /**
   * The upper bounds of the buckets of every NativeLatency, in milliseconds, ascending, exclusive; 32 buckets to the
   * octave, so that a bucket is 3 % wide. The last one also takes everything above it.
   */
  latencyBounds(): Float64Array<ArrayBuffer>;
}

/** Every one is given: lib/ has filled the defaults. */
export interface NativeSessionOptions {
  readonly tokenizer: object;
  /** Absolute paths: of the weights, and of the model's config.json. */
  readonly weightsPath: string;
  readonly configPath: string;
  /** Only `'ort'` opens ONNX Runtime. */
  readonly engine: 'ort' | 'encoder' | 'static';
  /** Absolute path: ONNX Runtime's shared library; for the encoder on CUDA libgteway_cuda, otherwise ''. */
  readonly library: string;
  readonly dtype: string;
  readonly device: 'auto' | 'cpu' | 'cuda';
  readonly deviceId: number;
  /** Bytes; 0: no limit. */
  readonly gpuMemoryLimit: number;
  readonly threads: number;
  /** 0: the engine's own choice. */
  readonly maxBatchTokens: number;
  /** How the model's vectors are made, for what the encoder's cosine is measured on. */
  readonly pooling: 'mean' | 'cls';
  /** The encoder on a CPU: loading fails with ERR_INFERENCE_FAILED where the cosine that is measured is below. */
  readonly leastCosine: number;
  /** Texts in flight. A call that finds nothing in flight is admitted whatever its size. */
  readonly maxQueue: number;
  /**
   * Bytes in flight, with the same exception: of texts as UTF-8, and of token rows where a call's pooling is 'none'
   * (before a text is tokenized, as many as if each byte were a token).
   */
  readonly maxQueueBytes: number;
  /** Bytes that cached vectors and their texts may take; 0: no cache. */
  readonly cacheBytes: number;
}

export interface NativeSession {
  /** The same promise each time. Rejects when loading failed, and with ERR_CLOSED when close() was first. */
  ready(): Promise<NativeLoaded>;
  /**
   * The texts are copied before this returns: cut a call of many thousands into slices, to spare memory and the event
   * loop (some 1,000 texts or 256 KB each, two or three in flight at a time keep every worker busy).
   *
   * @param call the caller's number for it, unique in this session, for cancel()
   * @param maxTokens texts are cut to so many, special tokens counted
   * @param dimensions how many values of each row to keep
   * @param wait where the queue is full: true waits for room, first come first served, outside the bounds (who uses it
   *   bounds how many such calls there are); false throws ERR_OVERLOADED
   * @param itemErrors a text that fails is listed in the result's `errors`, and the rest of the call is served; false: it
   *   rejects the call
   * Throws ERR_OVERLOADED, ERR_CLOSED, ERR_OUT_OF_MEMORY, and ERR_INVALID_ARGUMENT for a number that is in flight, at
   * once; everything else is a rejection.
   */
  embed(
    call: number,
    texts: readonly string[],
    pooling: 'mean' | 'cls' | 'none',
    normalize: boolean,
    truncate: boolean,
    maxTokens: number,
    dimensions: number,
    wait: boolean,
    itemErrors: boolean,
  ): Promise<NativeEmbedded>;
  /**
   * Scores pairs of a query and a text, as a cross-encoder does. As embed(), with rows of raw logits; a text's `tokens`
   * are those of the pair.
   *
   * @param queries each once
   * @param queryOf for each text the index of its query; empty: the first, for all of them
   * @param maxTokens of a longer pair the text is cut; a query that leaves it no room is an error of that text
   * @param labels how many logits of each row to keep: what NativeLoaded says
   */
  score(
    call: number,
    queries: readonly string[],
    queryOf: Uint32Array,
    texts: readonly string[],
    truncate: boolean,
    maxTokens: number,
    labels: number,
    wait: boolean,
    itemErrors: boolean,
  ): Promise<NativeEmbedded>;
  /** Its promise rejects with ERR_ABORTED, unless it is settled already. */
  cancel(call: number): void;
  /** Cheap: counters that are kept anyway. After close(): the last ones there were. */
  stats(): NativeStats;
  /**
   * Pending calls reject with ERR_CLOSED. Resolves when the session lets go of its engine; where no other session uses
   * that, when its threads have ended and the model's memory is free.
   */
  close(): Promise<void>;
}

export interface NativeLoaded {
  readonly engine: string;
  readonly device: string;
  readonly dtype: string;
  /** The instruction set of the products, or of the kernels beside ONNX Runtime. */
  readonly isa: string;
  /** 0 for a model that gives logits alone. */
  readonly dimensions: number;
  /** Logits of a classification head; 0 where there is none. */
  readonly labels: number;
  readonly maxBatchTokens: number;
  /** The least of some texts' vectors to those in fp32; null where none was measured. */
  readonly cosine: number | null;
  readonly fallbacks: readonly { readonly wanted: string; readonly reason: string }[];
}

export interface NativeEmbedded {
  /** [rows, dimensions], row-major; rows: one per text, or one per token with pooling 'none'. */
  readonly data: Float32Array<ArrayBuffer>;
  /** Per text. */
  readonly tokens: Uint32Array<ArrayBuffer>;
  /** Per text, 0 or 1. */
  readonly truncated: Uint8Array<ArrayBuffer>;
  /**
   * With itemErrors: the texts that failed, ascending. Their `tokens` are 0 and their row is zeros; with pooling 'none'
   * they have no rows. Empty without itemErrors.
   */
  readonly errors: readonly { readonly index: number; readonly code: string; readonly message: string }[];
}

/** Counts begin with the session. */
export interface NativeStats {
  /** Calls admitted and not settled, their texts, those of the texts that an engine has in hand, and all their bytes. */
  readonly callsInFlight: number;
  readonly textsInFlight: number;
  readonly textsRunning: number;
  readonly bytesInFlight: number;
  /** Calls with `wait` that have no room yet. */
  readonly callsWaiting: number;
  /** Milliseconds since the oldest call in flight or waiting was made; 0 without any. */
  readonly oldest: number;
  /** Calls that were fulfilled; their texts; the tokens of those that an engine computed for them. */
  readonly calls: number;
  readonly texts: number;
  readonly tokens: number;
  /** Calls refused with ERR_OVERLOADED; ended by cancel(); rejected for any other reason. */
  readonly rejected: number;
  readonly cancelled: number;
  readonly failed: number;
  /** Texts listed in `errors`. */
  readonly failedTexts: number;
  /** Texts that shared the computation of an equal one in flight. */
  readonly coalesced: number;
  readonly cacheHits: number;
  readonly cacheMisses: number;
  readonly cacheEntries: number;
  readonly cacheBytes: number;
  /** Of the engine, which other sessions may share: how many do, this one included; its threads, and the busy ones. */
  readonly sessions: number;
  readonly workers: number;
  readonly workersBusy: number;
  /** Batches the engine ran; the tokens in them; what it computed, padding counted (equal where it does not pad). */
  readonly batches: number;
  readonly batchTokens: number;
  readonly batchTokensPadded: number;
  /** Of fulfilled calls. queue: from the call to its first batch, less tokenizing. infer: from there to its last row. */
  readonly latency: {
    readonly queue: NativeLatency;
    readonly tokenize: NativeLatency;
    readonly infer: NativeLatency;
    readonly total: NativeLatency;
  };
}

/** Milliseconds. `counts` goes with latencyBounds(). */
export interface NativeLatency {
  readonly count: number;
  readonly sum: number;
  readonly max: number;
  readonly counts: Float64Array<ArrayBuffer>;
}
