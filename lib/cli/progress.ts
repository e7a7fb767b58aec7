/** Progress on a terminal's stderr; nothing at all where stderr is a file or a pipe. */
import { SingleBar } from 'cli-progress';
import type { DownloadProgress } from '../models/resolve.js';
import { onInterruption } from './interruption.js';

export interface Progress {
  /** How far it is, in the unit of the total; `label` says it in words. */
  update(done: number, label: string): void;
  /** Takes the bar off the screen. */
  stop(): void;
}

const none: Progress = { update: () => undefined, stop: () => undefined };

/**
 * A bar with a percentage and the time that is left, or where there is no `total`, the label alone. `begin`: how far an
 * interrupted run had come, which tells nothing about the speed of this one.
 */
export function progress(what: string, total: number | undefined, begin = 0): Progress {
  if (!process.stderr.isTTY) return none;
  const bar = new SingleBar({
    format: total === undefined ? `${what} {label}` : `${what} [{bar}] {percentage}% {label}, {eta_formatted} left`,
    stream: process.stderr,
    hideCursor: true,
    clearOnComplete: true,
    // Narrow terminals cut the line instead of breaking it.
    linewrap: false,
    barsize: 24,
    // Updates that the estimate looks back on: slices take a while each, and pieces of a download do not.
    etaBuffer: 50,
  });
  let started = false;
  const stop = (): void => {
    forget();
    if (started) bar.stop();
    started = false;
  };
  const forget = onInterruption(stop);
  return {
    update(done, label) {
      if (!started) bar.start(Math.max(total ?? 1, 1), total === undefined ? 0 : begin, { label });
      started = true;
      bar.update(total === undefined ? 0 : done, { label });
    },
    stop,
  };
}

/** A bar for `onProgress` of everything that may fetch a model. Appears with the first byte. */
export function downloadProgress(): { onProgress: (progress: DownloadProgress) => void; stop: () => void } {
  let bar: Progress | undefined;
  return {
    onProgress(now) {
      bar ??= progress(`fetching ${now.repository}`, now.overallTotalBytes);
      bar.update(
        now.overallLoadedBytes,
        `${megabytes(now.overallLoadedBytes)} of ${megabytes(now.overallTotalBytes)} · ${now.file}`,
      );
    },
    stop: () => bar?.stop(),
  };
}

export function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
