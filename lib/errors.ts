/**
 * The one error class of gteway and its codes.
 *
 * Misuse of the API (a wrong type, an unknown option) is a `TypeError` or `RangeError` instead, thrown where the call is
 * made; a `GtewayError` is something that went wrong outside the caller's code.
 */

/** Every value `GtewayError.code` can have. Codes are stable; messages are not. */
export const errorCodes = [
  // Models and their files
  'ERR_MODEL_NOT_FOUND', // no such directory, repository or file
  'ERR_MODEL_INVALID', // a model file is missing parts, corrupt, or contradicts itself
  'ERR_MODEL_UNSUPPORTED', // a model file is fine, but needs something gteway does not have
  'ERR_TOKENIZER_INVALID', // tokenizer.json is malformed
  'ERR_TOKENIZER_UNSUPPORTED', // tokenizer.json asks for an algorithm gteway does not have
  // Fetching models
  'ERR_HUB_UNREACHABLE', // the model hub cannot be reached
  'ERR_HUB_STATUS', // the hub answered with an error status
  'ERR_HUB_ACCESS', // the hub wants a token, or this token may not read the repository
  'ERR_HUB_INTEGRITY', // what arrived has the wrong size or hash
  'ERR_OFFLINE', // a file is not in the cache and downloading is switched off
  'ERR_CACHE_WRITE', // the cache cannot be written: full disk, permissions
  // The native side
  'ERR_NATIVE_LOAD', // the addon (.node) could not be loaded
  'ERR_RUNTIME_UNAVAILABLE', // ONNX Runtime's shared library could not be found or opened
  'ERR_DEVICE_UNAVAILABLE', // the device asked for cannot be used here
  'ERR_INFERENCE_FAILED', // the engine failed while computing
  'ERR_OUT_OF_MEMORY', // an allocation failed
  'ERR_INVALID_ARGUMENT', // a GTEWAY_ variable has a value it cannot have (else a bug worth reporting)
  'ERR_INTERNAL', // a broken invariant: a bug worth reporting
  // The life of a call
  'ERR_TEXT_TOO_LONG', // a text has more tokens than the model takes, and `truncate` is false
  'ERR_OVERLOADED', // the session's queue is full
  'ERR_CLOSED', // the session was closed
  'ERR_ABORTED', // the caller's signal fired
  'ERR_TIMEOUT', // the caller's timeout passed
  // Language-model servers
  'ERR_LLM_HOST', // no server is named: set AI_INFERENCE_API_HOST or the host option
  'ERR_LLM_UNREACHABLE', // the server cannot be reached, or dropped the connection
  'ERR_LLM_STATUS', // the server answered with an error status
  'ERR_LLM_MODEL_MISSING', // the server does not have the model
  'ERR_LLM_PROTOCOL', // the server's answer is not what its protocol promises
] as const;

export type ErrorCode = (typeof errorCodes)[number];

export interface GtewayErrorOptions {
  /** The error that led to this one. */
  cause?: unknown;
  /** Facts about the failure that a program may want, such as `status` or `model`. */
  details?: Readonly<Record<string, unknown>>;
}

const brand = Symbol.for('gteway.error');

/** An error with a stable `code`. The message says what failed, with which value, and what to do about it. */
export class GtewayError extends Error {
  readonly code: ErrorCode;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: ErrorCode, message: string, options: GtewayErrorOptions = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined);
    // Code written for fetch and friends recognises cancellation by name; it works here too.
    this.name = code === 'ERR_ABORTED' ? 'AbortError' : code === 'ERR_TIMEOUT' ? 'TimeoutError' : 'GtewayError';
    this.code = code;
    this.details = options.details ?? {};
    Object.defineProperty(this, brand, { value: true });
  }
}

/**
 * Whether `error` is a `GtewayError`, also when it comes from another copy of this package or another realm, where
 * `instanceof` fails. With `code`, whether it has that code too.
 */
export function isGtewayError(error: unknown, code?: ErrorCode): error is GtewayError {
  return (
    typeof error === 'object' &&
    error !== null &&
    (error as Record<symbol, unknown>)[brand] === true &&
    (code === undefined || (error as GtewayError).code === code)
  );
}
