/**
 * What an interrupted `gteway embed` leaves beside its partial output, so that `--resume` can go on: how far it came, and
 * everything that the rows so far depend on. Replaced as a whole, so that a crash leaves the old one or the new one.
 */
import { open, readFile, rename, rm } from 'node:fs/promises';
import { CommandError, systemReason } from '../failure.js';

/** What the rows depend on, under the names that a message gives it. */
export type Settings = Readonly<Record<string, string | number | boolean>>;

export const chunkSetting = 'the most tokens of a chunk';

/** What there is a row of, or with --pooling none several. */
export function itemsOf(settings: Settings): 'texts' | 'chunks' {
  return settings[chunkSetting] === undefined ? 'texts' : 'chunks';
}

/** A state that is whole on disk. */
export interface Checkpoint {
  /** Texts whose rows are written, or with --chunk their chunks. */
  readonly texts: number;
  /** Length of the partial output with these rows; what is behind it was being written when the run ended. */
  readonly bytes: number;
  /** SHA-256 of the texts, see TextHash. */
  readonly textHash: string;
  /** How many of the texts were cut, and the number of the first, from 1; 0: none was. */
  readonly cut: number;
  readonly firstCut: number;
}

export interface Journal {
  /** Of this format; another one is of another version of gteway. */
  readonly journal: typeof journalVersion;
  readonly settings: Settings;
  /** What the model makes of a fixed text: whatever changes in its files changes this. */
  readonly probe: readonly number[];
  readonly checkpoint: Checkpoint;
}

export const journalVersion = 1;

/** Undefined where there is none. Throws CommandError for one that cannot be read. */
export async function readJournal(path: string): Promise<Journal | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new CommandError(`cannot read ${path}: ${systemReason(error)}`, { cause: error });
  }
  const journal = parsed(text);
  if (journal === undefined) {
    throw new CommandError(`${path} is not a journal of this version of gteway; delete it to start over`);
  }
  return journal;
}

function parsed(text: string): Journal | undefined {
  try {
    const value = JSON.parse(text) as Partial<Journal> | null;
    const { journal, settings, probe, checkpoint } = value ?? {};
    const isWhole =
      journal === journalVersion &&
      typeof settings === 'object' &&
      Array.isArray(probe) &&
      typeof checkpoint?.textHash === 'string' &&
      [checkpoint.texts, checkpoint.bytes, checkpoint.cut, checkpoint.firstCut].every(
        (count) => Number.isSafeInteger(count) && count >= 0,
      );
    return isWhole ? (value as Journal) : undefined;
  } catch {
    return undefined;
  }
}

/** Durable when it resolves. A crash on the way leaves the journal before it. */
export async function writeJournal(path: string, journal: Journal): Promise<void> {
  const draft = `${path}.tmp`;
  try {
    const file = await open(draft, 'w');
    try {
      await file.writeFile(`${JSON.stringify(journal)}\n`);
      await file.datasync();
    } finally {
      await file.close();
    }
    await rename(draft, path);
  } catch (error) {
    await rm(draft, { force: true }).catch(() => undefined);
    throw error;
  }
}

/** Vectors of one model differ by less between machines, and those of two models by more. */
const sameModelCosine = 0.9999;

/** Throws CommandError, naming the first thing that is not as it was. */
export function checkSameRun(journal: Journal, settings: Settings, probe: readonly number[], output: string): void {
  const refuse = (what: string): never => {
    throw new CommandError(
      `cannot resume ${output}: ${what}. Run the command as it was, or without --resume to start over`,
    );
  };
  for (const name of new Set([...Object.keys(journal.settings), ...Object.keys(settings)])) {
    const [before, now] = [journal.settings[name], settings[name]];
    if (before !== now) refuse(`${name} was ${shown(before)} and is ${shown(now)} now`);
  }
  if (probe.length !== journal.probe.length || cosine(probe, journal.probe) < sameModelCosine) {
    refuse(`the model gives other vectors than it gave`);
  }
}

function shown(value: string | number | boolean | undefined): string {
  return value === undefined ? 'not given' : String(value);
}

function cosine(a: readonly number[], b: readonly number[]): number {
  let [product, aa, bb] = [0, 0, 0];
  for (const [i, x] of a.entries()) {
    const y = b[i] ?? NaN;
    product += x * y;
    aa += x * x;
    bb += y * y;
  }
  return product / Math.sqrt(aa * bb);
}
