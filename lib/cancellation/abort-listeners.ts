/**
 * Listening to an AbortSignal that many calls share, such as a server's own shutdown signal. Each signal gets one
 * listener, however many calls are in flight: Node prints a warning to the console from the eleventh on.
 */
interface Watch {
  readonly callbacks: Set<() => void>;
  readonly stop: () => void;
}

const watches = new WeakMap<AbortSignal, Watch>();

/** Calls `callback` when `signal` aborts; not for one that has aborted already. Returns what takes it back. */
export function onAbort(signal: AbortSignal, callback: () => void): () => void {
  const { callbacks, stop } = watches.get(signal) ?? watch(signal);
  // A set would merge a callback that is given twice.
  const own = (): void => callback();
  callbacks.add(own);
  return () => {
    if (callbacks.delete(own) && callbacks.size === 0) stop();
  };
}

function watch(signal: AbortSignal): Watch {
  const callbacks = new Set<() => void>();
  const stop = (): void => {
    signal.removeEventListener('abort', onEvent);
    watches.delete(signal);
  };
  const onEvent = (): void => {
    stop();
    for (const callback of callbacks) callback();
  };
  const made: Watch = { callbacks, stop };
  signal.addEventListener('abort', onEvent);
  watches.set(signal, made);
  return made;
}
