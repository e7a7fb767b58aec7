/**
 * A lock file, so that processes after the same blob wait for one another instead of fetching it twice.
 *
 * It only saves traffic, and is never what keeps a file whole: two holders would write the same bytes at the same
 * offsets, because a blob is named by its hash, and the hash is checked before the blob appears. So a lock may be broken
 * on good suspicion, and a process that died leaves nobody waiting: its lock is taken over at once on the same machine,
 * and elsewhere when its heartbeat has stood still for `staleAfterMs` by the waiter's own clock.
 */
import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { mkdir, readFile, rm, stat, utimes } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { cacheWriteError } from './cache.js';

export interface Lock {
  /** Gives the lock up; does nothing when someone took it over. Never fails. */
  release(): Promise<void>;
}

export interface LockOptions {
  /** Ends the waiting; the rejection is the signal's reason. */
  signal?: AbortSignal;
  /** @default 2_000 */
  heartbeatMs?: number;
  /** @default 10_000 */
  staleAfterMs?: number;
}

/** Holds `path` from now on. Waits while another holder is alive. Throws ERR_CACHE_WRITE when it cannot be created. */
export async function acquireLock(path: string, options: LockOptions = {}): Promise<Lock> {
  const { signal, heartbeatMs = 2_000, staleAfterMs = 10_000 } = options;
  const content = JSON.stringify({ pid: process.pid, host: hostname(), id: randomUUID() });
  let seen: { state: string; since: number } | undefined;
  for (;;) {
    signal?.throwIfAborted();
    try {
      await mkdir(dirname(path), { recursive: true });
      // Not in the background: a signal finds a lock that nobody has made, or one whose maker knows it.
      writeFileSync(path, content, { flag: 'wx' });
      return hold(path, content, heartbeatMs);
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw cacheWriteError(path, cause);
    }
    const state = await holderState(path);
    if (state === undefined) continue;
    if (seen?.state !== state.text) seen = { state: state.text, since: performance.now() };
    if (state.dead || performance.now() - seen.since > staleAfterMs) {
      await rm(path, { force: true }).catch(() => undefined);
      continue;
    }
    // Uneven, so that several waiters do not come in step.
    await sleep(50 + Math.random() * 100, undefined, signal ? { signal } : {});
  }
}

function hold(path: string, content: string, heartbeatMs: number): Lock {
  const timer = setInterval(() => {
    const now = new Date();
    // Failing is harmless: at worst somebody takes the lock over.
    utimes(path, now, now).catch(() => undefined);
  }, heartbeatMs);
  timer.unref();
  return {
    release: async () => {
      clearInterval(timer);
      try {
        if ((await readFile(path, 'utf8')) === content) await rm(path, { force: true });
      } catch {
        // Taken over, or the directory went away: nothing left to give up.
      }
    },
  };
}

/** Who holds the lock and when it last showed life, or undefined when it is gone. */
async function holderState(path: string): Promise<{ text: string; dead: boolean } | undefined> {
  try {
    const [content, { mtimeMs }] = [await readFile(path, 'utf8'), await stat(path)];
    return { text: `${content} ${mtimeMs}`, dead: isDeadHere(content) };
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw cacheWriteError(path, cause);
  }
}

/** Whether the holder was a process of this machine that no longer runs. */
function isDeadHere(content: string): boolean {
  try {
    const { pid, host } = JSON.parse(content) as { pid?: unknown; host?: unknown };
    if (host !== hostname() || typeof pid !== 'number') return false;
    process.kill(pid, 0);
    return false;
  } catch (error) {
    // A half-written file does not parse; its writer is alive or the heartbeat rule covers it.
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
}
