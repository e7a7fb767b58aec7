/**
 * The public surface of gteway: what is not named here is not part of it.
 *
 * Nothing is loaded by importing it: the addon is opened by the first session or tokenizer, ONNX Runtime by the first
 * model that needs it.
 */
export { Session } from './session.js';
export type { EmbeddingModelName, Run, SessionOptions } from './session.js';
export type { CacheOptions, EmbeddingSessionOptions } from './engines/session-options.js';
export type { ModelInfo, RerankerInfo, SessionInfo } from './engines/session-info.js';
export type { EmbedOptions, Pooling } from './embedding/embed-options.js';
export type { DocumentChunk, EmbeddedDocument, EmbedDocumentOptions } from './embedding/embed-document.js';
export type { EmbedStreamOptions } from './embedding/embed-stream.js';
export type { RunEmbedding, RunOptions } from './embedding/run.js';
export { LatencyHistogram } from './embedding/session-stats.js';
export type { SessionStats } from './embedding/session-stats.js';
export type { EmbedTrace, LoadTrace } from './embedding/tracing.js';
export type { DownloadProgress } from './models/resolve.js';

export { Reranker } from './reranker.js';
export type { RerankOptions, ScoreOptions } from './reranking/rerank-options.js';
export type { Ranked } from './reranking/ranking.js';
export type { RerankTrace } from './reranking/tracing.js';
export type { Scores } from './reranking/pairs.js';

export { Embeddings } from './vectors/embeddings.js';
export { cosineSimilarity, dot, similarityMatrix } from './vectors/similarity.js';
export type { Matrix, SimilarityMatrix, Vector } from './vectors/similarity.js';

export { topK } from './search/top-k.js';
export type { Hit, TopKOptions } from './search/top-k.js';
export type { AnyMatrix, BitMatrix, Int8Matrix } from './search/matrices.js';

export { chunk, Tokenizer } from './tokenizer/tokenizer.js';
export type {
  BatchEncoding,
  EncodeOptions,
  Encoding,
  PairEncoding,
  TokenizerLoadOptions,
  TokenizerOptions,
} from './tokenizer/tokenizer.js';

export type { Chunk, ChunkBy, ChunkOptions } from './documents/chunk-options.js';

export type { RunLanguageModel } from './llm/run.js';
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

export { onLog } from './native/log.js';
export type { LogEntry, LogLevel } from './native/log.js';
