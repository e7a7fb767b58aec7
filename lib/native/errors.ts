/** Turns errors of the addon into the library's own. */
import { type ErrorCode, errorCodes, GtewayError, isGtewayError } from '../errors.js';

/**
 * A GtewayError with the code and message of a native error, and that error as `cause`. Awaiting inside an async method
 * and rethrowing through this links the caller's stack frames, which a native rejection alone does not have.
 * Anything that is not a native error comes back unchanged.
 */
export function fromNative(error: unknown): unknown {
  if (!(error instanceof Error) || isGtewayError(error)) return error;
  // The C++ name is what is left where memory ran out in the glue between JavaScript and the addon's own code.
  const code = error.message === 'std::bad_alloc' ? 'ERR_OUT_OF_MEMORY' : (error as { code?: unknown }).code;
  if (!(errorCodes as readonly unknown[]).includes(code)) return error;
  return new GtewayError(code as ErrorCode, error.message, { cause: error });
}
