/** Ends a call early: an AbortSignal, a timeout, or both. */
import { onAbort } from './abort-listeners.js';
import { GtewayError } from '../errors.js';
import { show } from '../arguments/show.js';

export interface DeadlineOptions {
  /** Cancels the call: it rejects with ERR_ABORTED, at once. */
  signal?: AbortSignal | undefined;
  /** Seconds after which the call rejects with ERR_TIMEOUT. @default none */
  timeout?: number | undefined;
}

/** setTimeout keeps time in a signed 32-bit count of milliseconds. */
const longestTimeoutSeconds = (2 ** 31 - 1) / 1000;

/** Throws TypeError or RangeError. */
export function checkDeadline(where: string, { signal, timeout }: DeadlineOptions): void {
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw new TypeError(`${where}: signal must be an AbortSignal, not ${show(signal)}`);
  }
  if (timeout === undefined) return;
  if (typeof timeout !== 'number')
    throw new TypeError(`${where}: timeout must be a number of seconds, not ${show(timeout)}`);
  if (!(timeout > 0 && timeout <= longestTimeoutSeconds)) {
    throw new RangeError(
      `${where}: timeout must be more than 0 and at most ${longestTimeoutSeconds} seconds, not ${timeout}`,
    );
  }
}

/**
 * Settles as the work does, unless the signal fires or the timeout passes first: then it rejects at once and calls
 * `cancel`, so that what the work would still cost is saved. `ended` tells work that has not begun its costly part yet.
 * A signal that has fired already means that the work is never called.
 */
export async function withDeadline<Result>(
  { signal, timeout }: DeadlineOptions,
  work: (ended: () => boolean) => Promise<Result>,
  cancel: () => void,
): Promise<Result> {
  if (signal === undefined && timeout === undefined) return work(() => false);
  if (signal?.aborted === true) throw abortError(signal);
  let ended = false;
  let stopWaiting = (): void => undefined;
  const deadline = new Promise<never>((_, reject) => {
    const end = (error: GtewayError): void => {
      ended = true;
      reject(error);
      cancel();
    };
    const onTimeout = (): void => end(new GtewayError('ERR_TIMEOUT', `the call took longer than ${timeout} s`));
    const stopListening = signal === undefined ? undefined : onAbort(signal, () => end(abortError(signal)));
    const timer = timeout === undefined ? undefined : setTimeout(onTimeout, timeout * 1000);
    stopWaiting = () => {
      stopListening?.();
      clearTimeout(timer);
    };
  });
  const working = work(() => ended);
  // When the deadline wins, whatever becomes of the work is of no interest to anyone.
  working.catch(() => undefined);
  try {
    return await Promise.race([working, deadline]);
  } finally {
    stopWaiting();
  }
}

/** What a call rejects with whose signal has fired. */
export function abortError(signal: AbortSignal): GtewayError {
  return new GtewayError('ERR_ABORTED', 'the call was aborted by its signal', { cause: signal.reason });
}
