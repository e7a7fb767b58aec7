/**
 * The Hugging Face cache on disk, shared with huggingface_hub, transformers and others:
 *
 *     <cache>/models--owner--name/
 *       refs/<revision>                 the commit a branch or tag stood at when it was last asked for
 *       blobs/<etag>                    the contents, named by sha256 (LFS) or git blob hash (other files)
 *       snapshots/<commit>/<file>       links into blobs
 *       .no_exist/<commit>/<file>       empty: the commit has no such file
 *     <cache>/.locks/models--owner--name/
 */
import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { copyFile, link, lstat, mkdir, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { GtewayError } from '../errors.js';
import type { FileSet } from './model-files.js';
import { isCommit, isRelativeFile, isRepositoryName, isRevision } from './names.js';

/** One repository's part of a cache directory. Reading never writes: a complete cache can be read-only. */
export class RepositoryCache {
  readonly #root: string;
  readonly #locks: string;

  constructor(cacheDirectory: string, repository: string) {
    if (!isRepositoryName(repository)) throw new RangeError(`'${repository}' is not a repository name (owner/name)`);
    const folder = `models--${repository.replace('/', '--')}`;
    this.#root = join(cacheDirectory, folder);
    this.#locks = join(cacheDirectory, '.locks', folder);
  }

  /** The commit `revision` is known to stand at, or undefined. */
  async commitOf(revision: string): Promise<string | undefined> {
    if (isCommit(revision)) return revision;
    try {
      const commit = (await readFile(this.#refPath(revision), 'utf8')).trim();
      return isCommit(commit) ? commit : undefined;
    } catch {
      return undefined;
    }
  }

  async rememberCommit(revision: string, commit: string): Promise<void> {
    if (isCommit(revision) || (await this.commitOf(revision)) === commit) return;
    await replace(this.#refPath(revision), (path) => writeFile(path, commit));
  }

  snapshotDirectory(commit: string): string {
    if (!isCommit(commit)) throw new RangeError(`'${commit}' is not a commit hash`);
    return join(this.#root, 'snapshots', commit);
  }

  /** Where a snapshot has `file`. Without symlinks, huggingface_hub keeps the contents here and no blob. */
  snapshotFile(commit: string, file: string): string {
    return this.#below(this.snapshotDirectory(commit), file);
  }

  /** Whether the hub is known to have no such file at that commit. */
  isKnownAbsent(commit: string, file: string): boolean {
    return existsSync(this.#below(join(this.#root, '.no_exist', commit), file));
  }

  async rememberAbsent(commit: string, file: string): Promise<void> {
    const path = this.#below(join(this.#root, '.no_exist', commit), file);
    if (!existsSync(path)) await replace(path, (temporary) => writeFile(temporary, ''));
  }

  /** Where the contents named `etag` are, or go. */
  blobPath(etag: string): string {
    if (!/^[0-9a-f]{40}(?:[0-9a-f]{24})?$/.test(etag)) throw new RangeError(`'${etag}' is not a content hash`);
    return join(this.#root, 'blobs', etag);
  }

  /**
   * What has arrived of a blob so far. Not huggingface_hub's `<etag>.incomplete`: it may be appending to that one at
   * this moment, and takes no lock we could see.
   */
  partialPath(etag: string): string {
    return `${this.blobPath(etag)}.gteway.incomplete`;
  }

  /** huggingface_hub leaves its own `<etag>.lock` files behind on purpose, so this one has another name. */
  lockPath(etag: string): string {
    this.blobPath(etag);
    return join(this.#locks, `${etag}.gteway.lock`);
  }

  /** Makes `snapshots/<commit>/<file>` lead to the blob: by symlink, or where the system has none, hard link or copy. */
  async linkIntoSnapshot(commit: string, file: string, etag: string): Promise<void> {
    const pointer = this.snapshotFile(commit, file);
    const blob = this.blobPath(etag);
    const target = relative(dirname(pointer), blob);
    await replace(pointer, async (path) => {
      try {
        await symlink(target, path, 'file');
        // Wine says yes and makes none.
        await lstat(path);
      } catch {
        // Windows without developer mode, exFAT, some network shares.
        await link(blob, path).catch(() => copyFile(blob, path));
      }
    });
  }

  #refPath(revision: string): string {
    if (!isRevision(revision)) throw new RangeError(`'${revision}' cannot be a revision`);
    return join(this.#root, 'refs', ...revision.split('/'));
  }

  #below(directory: string, file: string): string {
    if (!isRelativeFile(file)) throw new RangeError(`'${file}' is not a path inside a repository`);
    return join(directory, ...file.split('/'));
  }
}

/** The files below `directory`, links followed; a link to nothing is not a file. */
export function directoryFiles(directory: string): FileSet {
  return {
    has: (file) => isRelativeFile(file) && existsSync(join(directory, ...file.split('/'))),
    list: () => listFiles(directory, 2),
  };
}

/** Relative names, `/`-separated, to a depth that covers every layout models come in. */
function listFiles(directory: string, depth: number): string[] {
  try {
    return readdirSync(directory, { withFileTypes: true })
      .flatMap((entry) =>
        !entry.isDirectory()
          ? [entry.name]
          : depth > 1
            ? listFiles(join(directory, entry.name), depth - 1).map((name) => `${entry.name}/${name}`)
            : [],
      )
      .sort();
  } catch {
    return [];
  }
}

/** The size of a file in bytes, or undefined when there is none. */
export async function fileSize(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).size;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw cacheWriteError(path, cause);
  }
}

/** Makes a directory and its parents. Throws ERR_CACHE_WRITE. */
export async function makeDirectory(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true });
  } catch (cause) {
    throw cacheWriteError(path, cause);
  }
}

/** Puts a file at `path` in one step: `write` makes it under another name beside it, then it is renamed. */
async function replace(path: string, write: (temporary: string) => Promise<unknown>): Promise<void> {
  await makeDirectory(dirname(path));
  const temporary = `${path}.${randomBytes(6).toString('hex')}`;
  try {
    await write(temporary);
    await rename(temporary, path);
  } catch (cause) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw cacheWriteError(path, cause);
  }
}

const writeReasons: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk quota is used up',
  EFBIG: 'the file would pass the size limit of the process or the file system',
  EROFS: 'the file system is read-only',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  ENOTDIR: 'a part of the path is a file, not a directory',
  EMFILE: 'the process has too many files open',
};

/** Turns a failed write into ERR_CACHE_WRITE, with the reason in words and what to do. */
export function cacheWriteError(path: string, cause: unknown): GtewayError {
  const code = (cause as NodeJS.ErrnoException).code ?? '';
  const reason = writeReasons[code] ?? (cause as Error).message;
  const full = code === 'ENOSPC' || code === 'EDQUOT';
  return new GtewayError(
    'ERR_CACHE_WRITE',
    `cannot write ${path}: ${reason}. ` +
      (full ? 'Free some space (what has arrived is kept and resumed), or set' : 'Set') +
      ' the cacheDir option or HF_HUB_CACHE to a directory that can be written.',
    { cause, details: { path, errno: code } },
  );
}
