/** The public surface of gteway: what is not named here is not part of it. */
export { errorCodes, GtewayError, isGtewayError } from './errors.js';
export type { ErrorCode, GtewayErrorOptions } from './errors.js';
export { cosineSimilarity, dot, similarityMatrix } from './similarity.js';
export type { Matrix, SimilarityMatrix, Vector } from './similarity.js';
