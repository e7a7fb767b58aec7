/**
 * The public surface of gteway: what is not named here is not part of it.
 *
 * Nothing is loaded by importing it: the addon is opened by the first session or tokenizer, ONNX Runtime by the first
 * model that needs it.
 */
export { Session } from './session.js';
export type {
  EmbeddingModelName,
  EmbedStreamOptions,
  Run,
  RunEmbedding,
  RunLanguageModel,
  RunOptions,
  SessionOptions,
} from './session-types.js';
export type { CacheOptions, EmbeddingSessionOptions } from './session-options.js';
export { LatencyHistogram } from './session-stats.js';
export type { SessionStats } from './session-stats.js';
export type { EmbedTrace, LoadTrace } from './tracing.js';
export type { EmbedOptions, Pooling } from './embed-options.js';
export type { SessionInfo } from './embedding-session.js';
export type { DownloadProgress } from './models/resolve.js';

export { Embeddings } from './embeddings.js';
export { cosineSimilarity, dot, similarityMatrix } from './similarity.js';
export type { Matrix, SimilarityMatrix, Vector } from './similarity.js';

export { Tokenizer } from './tokenizer.js';
export type { BatchEncoding, EncodeOptions, Encoding, TokenizerLoadOptions, TokenizerOptions } from './tokenizer.js';

export { LlmStream } from './llm/stream.js';
export type {
  ChatCompletionOptions,
  ChatCompletionPrompt,
  LlmMode,
  LlmRunOptions,
  LlmSessionOptions,
  OllamaChatOptions,
  OllamaChatPrompt,
  OllamaGenerateOptions,
} from './llm/options.js';
export type { ChatCompletionResult, OllamaChatResult, OllamaGenerateResult } from './llm/result.js';

export { errorCodes, GtewayError, isGtewayError } from './errors.js';
export type { ErrorCode, GtewayErrorOptions } from './errors.js';

export { onLog } from './log.js';
export type { LogEntry, LogLevel } from './log.js';
