/** What the native side and ONNX Runtime have to say. The library itself never prints. */
import { binding } from './binding.js';
import { show } from '../arguments/show.js';

export type LogLevel = 'verbose' | 'info' | 'warning' | 'error' | 'fatal';

export interface LogEntry {
  readonly level: LogLevel;
  /** Who speaks: `'gteway'`, or a category of ONNX Runtime's. */
  readonly source: string;
  readonly message: string;
}

const levels: readonly LogLevel[] = ['verbose', 'info', 'warning', 'error', 'fatal'];

/**
 * Calls `listener` with every log message from now on, in place of the one before it; `undefined` silences the log, which
 * is also how it begins. Set it before a session is made to hear what ONNX Runtime says about that model.
 *
 * Messages of all threads of the process arrive, one turn of the event loop late. An error the listener throws becomes
 * an uncaught exception.
 */
export function onLog(listener: ((entry: LogEntry) => void) | undefined): void {
  if (listener === undefined) {
    binding().onLog(undefined);
    return;
  }
  if (typeof listener !== 'function')
    throw new TypeError(`onLog(): listener must be a function, not ${show(listener)}`);
  binding().onLog((level, source, message) => {
    queueMicrotask(() => listener({ level: levels[level] ?? 'info', source, message }));
  });
}
