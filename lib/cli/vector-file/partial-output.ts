/**
 * An output file in the making that survives an interruption: `<output>.partial`, with a journal beside it that says how
 * much of it is whole. It takes the output's name when it is complete.
 */
import { rmSync } from 'node:fs';
import { chmod, type FileHandle, open, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { isGtewayError } from '../../errors.js';
import { acquireLock, type Lock } from '../../models/lock.js';
import { CommandError, note, systemReason } from '../failure.js';
import { onInterruption } from '../interruption.js';
import { itemsOf, type Journal, readJournal, writeJournal } from './journal.js';
import { writeError } from '../output.js';

/** A lock of a process that died elsewhere is taken over after ten seconds of silence; a live one is not. */
const lockPatienceMs = 12_000;

interface Paths {
  /** As the user gave it, for messages. */
  readonly output: string;
  /** What is replaced at the end. */
  readonly target: string;
  readonly partial: string;
  readonly journal: string;
  readonly lock: string;
}

export class PartialOutput {
  readonly #paths: Paths;
  readonly #mode: number | undefined;
  readonly #file: FileHandle;
  readonly #lock: Lock;
  readonly #forget: () => void;
  /** Of the interrupted run that is to be continued. */
  readonly journal: Journal | undefined;
  /** The last one that is on disk. */
  #checkpointed: Journal | undefined;
  /** Whether this run has written to the file: what it found is not its to remove. */
  #isBegun = false;
  #isOver = false;
  #offset = 0;

  private constructor(paths: Paths, mode: number | undefined, file: FileHandle, lock: Lock, journal?: Journal) {
    this.#paths = paths;
    this.#mode = mode;
    this.#file = file;
    this.#lock = lock;
    this.journal = journal;
    this.#checkpointed = journal;
    this.#forget = onInterruption(() => {
      rmSync(paths.lock, { force: true });
      if (this.#checkpointed === undefined) for (const path of this.#leftovers) rmSync(path, { force: true });
      else this.#tellWhatIsKept();
    });
  }

  /**
   * For `output`, which leads to `target`: a regular file with that `mode`, or nothing yet. With `resume`, what an
   * interrupted run has left is opened; otherwise it is dropped. Throws CommandError where it cannot be written, or is
   * being written by another process.
   */
  static async open(output: string, target: string, mode: number | undefined, resume: boolean): Promise<PartialOutput> {
    const partial = `${target}.partial`;
    const paths = { output, target, partial, journal: `${partial}.json`, lock: `${partial}.lock` };
    const lock = await lockFor(paths);
    let isNew = !resume;
    const forget = onInterruption(() => {
      for (const path of isNew ? [paths.lock, partial] : [paths.lock]) rmSync(path, { force: true });
    });
    try {
      const journal = resume ? await readJournal(paths.journal) : undefined;
      const existing = journal && (await openExisting(paths, journal));
      if (existing !== undefined) return new PartialOutput(paths, mode, existing, lock, journal);
      isNew = true;
      await rm(paths.journal, { force: true });
      return new PartialOutput(paths, mode, await open(partial, 'w'), lock);
    } catch (error) {
      await lock.release();
      throw error instanceof CommandError ? error : writeError(output, error);
    } finally {
      forget();
    }
  }

  /** Where writing begins: everything behind it is cut off. */
  async begin(bytes: number): Promise<void> {
    await this.#writing(() => this.#file.truncate(bytes));
    this.#offset = bytes;
    this.#isBegun = true;
  }

  get bytesWritten(): number {
    return this.#offset;
  }

  async write(data: string | Uint8Array): Promise<void> {
    const bytes = typeof data === 'string' ? Buffer.from(data) : data;
    await this.#writing(() => this.#put(bytes, this.#offset));
    this.#offset += bytes.byteLength;
  }

  /** Overwrites bytes from the start on. */
  async patch(data: Uint8Array): Promise<void> {
    await this.#writing(() => this.#put(data, 0));
  }

  /** What has been written is safe, and the journal says so, when this resolves. */
  async checkpoint(journal: Journal): Promise<void> {
    await this.#writing(async () => {
      await this.#file.datasync();
      await writeJournal(this.#paths.journal, journal);
    });
    this.#checkpointed = journal;
  }

  /** Nothing follows: gives the file its name. */
  async finish(): Promise<void> {
    await this.#writing(async () => {
      await this.#file.datasync();
      await this.#file.close();
      if (this.#mode !== undefined) await chmod(this.#paths.partial, this.#mode & 0o777);
      await rename(this.#paths.partial, this.#paths.target);
      await rm(this.#paths.journal, { force: true });
    });
    this.#isOver = true;
    this.#forget();
    await this.#lock.release();
  }

  /** Something failed: keeps what can be resumed, and says so; removes the rest. Does nothing after finish(). */
  async discard(): Promise<void> {
    if (this.#isOver) return;
    this.#isOver = true;
    await this.#file.close().catch(() => undefined);
    if (this.#checkpointed === undefined) for (const path of this.#leftovers) await rm(path, { force: true });
    else if (this.#isBegun) this.#tellWhatIsKept();
    this.#forget();
    await this.#lock.release();
  }

  get #leftovers(): string[] {
    return [this.#paths.partial, this.#paths.journal, `${this.#paths.journal}.tmp`];
  }

  #tellWhatIsKept(): void {
    if (this.#checkpointed === undefined) return;
    const { checkpoint, settings } = this.#checkpointed;
    const done = `${checkpoint.texts.toLocaleString('en')} ${itemsOf(settings)}`;
    note(`${done} are done, and kept in ${this.#paths.partial}; the same command with --resume goes on`);
  }

  async #put(bytes: Uint8Array, position: number): Promise<void> {
    for (let done = 0; done < bytes.byteLength;) {
      const { bytesWritten } = await this.#file.write(bytes, done, bytes.byteLength - done, position + done);
      done += bytesWritten;
    }
  }

  async #writing(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      throw writeError(this.#paths.output, error);
    }
  }
}

async function lockFor({ output, target, lock }: Paths): Promise<Lock> {
  const signal = AbortSignal.timeout(lockPatienceMs);
  try {
    // The lock would make the directory; an output must not.
    await stat(dirname(target));
    return await acquireLock(lock, { signal });
  } catch (error) {
    if (signal.aborted) {
      throw new CommandError(`cannot write ${output}: another process is writing it, as ${lock} says`);
    }
    throw writeError(output, isGtewayError(error, 'ERR_CACHE_WRITE') ? error.cause : error);
  }
}

/** The partial output that the journal is about; undefined where it is gone. */
async function openExisting(
  { output, partial, journal }: Paths,
  { checkpoint }: Journal,
): Promise<FileHandle | undefined> {
  let file: FileHandle;
  try {
    file = await open(partial, 'r+');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new CommandError(`cannot read ${partial}: ${systemReason(error)}`, { cause: error });
  }
  const { size } = await file.stat();
  if (size >= checkpoint.bytes) return file;
  await file.close();
  throw new CommandError(
    `cannot resume ${output}: ${partial} has ${size} bytes, and ${journal} says that it had ${checkpoint.bytes}. ` +
      'Run the command without --resume to start over',
  );
}
