/** What `session.info` and `reranker.info` tell. */

/** What really runs, of any kind of model. */
export interface ModelInfo {
  /** The model as it was asked for. */
  readonly model: string;
  /** The longest text, or pair of texts, in tokens, special tokens counted; longer ones are cut. */
  readonly maxTokens: number;
  /** `'cpu'`, or `'cuda:0'` and so on. */
  readonly device: string;
  /** `'encoder'`: gteway's own; `'ort'`: ONNX Runtime; `'static'`: gteway's own for tables of token vectors. */
  readonly engine: string;
  /** What is computed in. Of ONNX Runtime: the precision of its file. */
  readonly dtype: string;
  /**
   * The least cosine of a few fixed texts' vectors to those in fp32, measured when the encoder was loaded; 1 in fp32. Null
   * where nothing was measured: ONNX Runtime, CUDA devices, scalar kernels, static models.
   */
  readonly cosine: number | null;
  /** The instruction set of the encoder's products, otherwise of gteway's other kernels. */
  readonly isa: string;
  /** Native threads that tokenize and compute. */
  readonly threads: number;
  /** The most tokens computed together, padding counted where the engine pads. */
  readonly maxBatchTokens: number;
  /** The file of weights in use. */
  readonly modelFile: string;
  /** What would have been better and could not be had, each with the reason. */
  readonly fallbacks: readonly { readonly wanted: string; readonly reason: string }[];
}

/** What really runs, once the model is loaded. */
export interface SessionInfo extends ModelInfo {
  /** Values in a vector. */
  readonly dimensions: number;
  /** How token vectors become a row where a call does not say. */
  readonly pooling: 'mean' | 'cls';
  /** What the model was trained to find before texts, by the names that `prompt` takes. Empty: nothing, or nobody says. */
  readonly prompts: Readonly<Record<string, string>>;
}

/** What `reranker.info` tells. */
export interface RerankerInfo extends ModelInfo {
  /** What becomes of the model's logit where a call does not say: `'sigmoid'` of it, or nothing. */
  readonly activation: 'sigmoid' | 'none';
}
