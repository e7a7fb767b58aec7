/**
 * Where results go: stdout, or a file that appears under its name only when it is complete.
 *
 * An existing thing that is no regular file (a named pipe, /dev/null) cannot be replaced by renaming and is written to
 * as it stands.
 */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createReadStream, rmSync } from 'node:fs';
import { chmod, type FileHandle, open, realpath, rename, rm, stat } from 'node:fs/promises';
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

/** stdout where no `path` is given. `patchable`: the first bytes are known only at the end. */
export async function openOutput(path: string | undefined, { patchable = false } = {}): Promise<Output> {
  if (path === undefined) return patchable ? spooledOutput(stdoutOutput()) : stdoutOutput();
  try {
    // A link stays a link: what it leads to is replaced.
    const target = await realpath(path).catch(() => path);
    const existing = await stat(target).catch(() => undefined);
    if (existing === undefined || existing.isFile()) return await replacingOutput(path, target, existing?.mode);
    const direct = directOutput(path, await open(target, 'w'));
    return patchable ? await spooledOutput(direct) : direct;
  } catch (error) {
    throw writeError(path, error);
  }
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

/** Writes to a draft beside the target and renames it at the end. */
async function replacingOutput(path: string, target: string, mode: number | undefined): Promise<Output> {
  const draft = await openDraft(`${target}.${randomBytes(6).toString('hex')}.tmp`);
  return {
    write: (data) => writing(path, () => draft.file.writeFile(data)),
    patch: (data) => writing(path, () => draft.file.write(data, 0, data.byteLength, 0)),
    finish: () =>
      writing(path, async () => {
        if (mode !== undefined) await chmod(draft.path, mode & 0o777);
        await draft.close();
        await rename(draft.path, target);
        draft.forget();
      }),
    discard: () => draft.remove(),
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
  close(): Promise<void>;
  /** The file has become the result: an interruption must not remove it. */
  forget(): void;
  remove(): Promise<void>;
}

async function openDraft(path: string): Promise<Draft> {
  const file = await open(path, 'wx');
  const forget = onInterruption(() => rmSync(path, { force: true }));
  let isOpen = true;
  let isMine = true;
  const close = async (): Promise<void> => {
    if (isOpen) await file.close();
    isOpen = false;
  };
  return {
    path,
    file,
    close,
    forget() {
      forget();
      isMine = false;
    },
    async remove() {
      await close();
      if (isMine) await rm(path, { force: true });
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

function writeError(path: string, error: unknown): CommandError {
  return new CommandError(`cannot write ${path}: ${systemReason(error)}`, { cause: error });
}
