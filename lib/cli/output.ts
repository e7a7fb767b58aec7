/**
 * Where results go that are no file of their own: stdout, and what cannot be replaced by renaming (a named pipe,
 * /dev/null), which is written to as it stands. For files see partial-output.ts.
 */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createReadStream, rmSync } from 'node:fs';
import { type FileHandle, open, realpath, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CommandError, systemReason } from './failure.js';
import { onInterruption } from './interruption.js';

export interface Output {
  write(data: string | Uint8Array): Promise<void>;
  /** Overwrites bytes from the start on. Only for an output opened with `patchable`. */
  patch(data: Uint8Array): Promise<void>;
  /** Nothing follows: makes the result visible. */
  finish(): Promise<void>;
  /** Something failed: leaves nothing behind. May be called after finish(), and does nothing then. */
  discard(): Promise<void>;
}

/** stdout where no `path` is given, otherwise what is there under that name. `patchable`: the first bytes are known only at the end. */
export async function openOutput(path: string | undefined, { patchable = false } = {}): Promise<Output> {
  if (path === undefined) return patchable ? spooledOutput(stdoutOutput()) : stdoutOutput();
  try {
    const direct = directOutput(path, await open(path, 'w'));
    return patchable ? await spooledOutput(direct) : direct;
  } catch (error) {
    throw writeError(path, error);
  }
}

/** A regular file, or a name that is free. */
export interface ReplaceableFile {
  /** What is replaced: where a link leads to. */
  readonly target: string;
  /** Of the file that is there. */
  readonly mode: number | undefined;
}

/** Undefined for what cannot be replaced by renaming another file: a directory, a named pipe, /dev/null. */
export async function replaceableFile(path: string): Promise<ReplaceableFile | undefined> {
  const target = await realpath(path).catch(() => path);
  const existing = await stat(target).catch(() => undefined);
  return existing === undefined || existing.isFile() ? { target, mode: existing?.mode } : undefined;
}

function stdoutOutput(): Output {
  return {
    async write(data) {
      // Waiting for the reader keeps memory bounded. Errors, such as a reader that left, are main.ts's to handle.
      if (!process.stdout.write(data)) await once(process.stdout, 'drain');
    },
    patch: () => Promise.reject(new Error('stdout cannot be patched')),
    finish: () => Promise.resolve(),
    discard: () => Promise.resolve(),
  };
}

function directOutput(path: string, file: FileHandle): Output {
  let isOpen = true;
  const close = async (): Promise<void> => {
    if (isOpen) await file.close();
    isOpen = false;
  };
  return {
    write: (data) => writing(path, () => file.writeFile(data)),
    patch: () => Promise.reject(new Error(`${path} cannot be patched`)),
    finish: close,
    discard: close,
  };
}

/** Collects everything in a temporary file, and passes it on at the end. */
async function spooledOutput(target: Output): Promise<Output> {
  const draft = await openDraft(join(tmpdir(), `gteway-${randomBytes(6).toString('hex')}.tmp`));
  return {
    write: (data) => writing(draft.path, () => draft.file.writeFile(data)),
    patch: (data) => writing(draft.path, () => draft.file.write(data, 0, data.byteLength, 0)),
    async finish() {
      for await (const chunk of createReadStream(draft.path) as AsyncIterable<Buffer>) await target.write(chunk);
      await draft.remove();
      await target.finish();
    },
    async discard() {
      await draft.remove();
      await target.discard();
    },
  };
}

interface Draft {
  readonly path: string;
  readonly file: FileHandle;
  remove(): Promise<void>;
}

async function openDraft(path: string): Promise<Draft> {
  const file = await open(path, 'wx');
  const forget = onInterruption(() => rmSync(path, { force: true }));
  let isOpen = true;
  return {
    path,
    file,
    async remove() {
      if (isOpen) await file.close();
      isOpen = false;
      await rm(path, { force: true });
      forget();
    },
  };
}

async function writing(path: string, work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch (error) {
    throw writeError(path, error);
  }
}

/** What the user is told when `path` cannot be written. */
export function writeError(path: string, error: unknown): CommandError {
  return new CommandError(`cannot write ${path}: ${systemReason(error)}`, { cause: error });
}
