/** What has to be undone when the user interrupts a command: temporary files, a progress bar on the screen. */

const undoings = new Set<() => void>();

/** Runs `undo` if the process is interrupted before the returned function is called. `undo` must be synchronous. */
export function onInterruption(undo: () => void): () => void {
  undoings.add(undo);
  return () => undoings.delete(undo);
}

/** Undoes everything that is still open. */
export function undoAll(): void {
  for (const undo of undoings) {
    try {
      undo();
    } catch {
      // The process is ending: the next one still deserves its turn.
    }
  }
  undoings.clear();
}

let onFirstSignal: (() => void) | undefined;

/** The next signal calls this instead of ending the process; the one after it ends the process after all. */
export function takeOverFirstSignal(handle: () => void): void {
  onFirstSignal = handle;
}

/** Ends the process on SIGINT, SIGTERM and SIGHUP with the shell's code for it: 128 + the signal's number. */
export function exitOnSignals(): void {
  for (const [signal, number] of [
    ['SIGHUP', 1],
    ['SIGINT', 2],
    ['SIGTERM', 15],
  ] as const) {
    process.on(signal, () => {
      if (onFirstSignal !== undefined) {
        const handle = onFirstSignal;
        onFirstSignal = undefined;
        handle();
        return;
      }
      undoAll();
      process.exit(128 + number);
    });
  }
}
