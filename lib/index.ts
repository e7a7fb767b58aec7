/** The public surface of gteway: what is not named here is not part of it. */
export { errorCodes, GtewayError, isGtewayError } from './errors.js';
export type { ErrorCode, GtewayErrorOptions } from './errors.js';
export { Tokenizer } from './tokenizer.js';
export type { BatchEncoding, EncodeOptions, Encoding, TokenizerOptions } from './tokenizer.js';
