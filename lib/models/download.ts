/**
 * Brings files from the hub into the cache: resumed where a former try ended, checked against size and hash as they lie
 * on the disk, and visible under their name only when whole.
 */
import { createHash } from 'node:crypto';
import { constants, createReadStream } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { GtewayError } from '../errors.js';
import { cacheWriteError, fileSize, makeDirectory, type RepositoryCache } from './cache.js';
import { type FileMetadata, type Hub, maxRetries } from './hub.js';
import { TransientError, transportError } from './hub-errors.js';
import { acquireLock } from './lock.js';

/** How far a download is. Sizes are bytes. */
export interface DownloadProgress {
  /** The model as it was asked for. */
  readonly model: string;
  /** `owner/name`. */
  readonly repository: string;
  /** The file's name in the repository. */
  readonly file: string;
  /** Which of the files to fetch this is, from 0. Files that were in the cache are not counted. */
  readonly fileIndex: number;
  readonly fileCount: number;
  /** What this file has so far, a resumed part included. */
  readonly loadedBytes: number;
  readonly totalBytes: number;
  /** The same over all files to fetch. */
  readonly overallLoadedBytes: number;
  readonly overallTotalBytes: number;
}

export interface DownloadRequest {
  readonly model: string;
  readonly repository: string;
  readonly commit: string;
  readonly files: readonly string[];
  readonly onProgress?: (progress: DownloadProgress) => void;
  readonly signal?: AbortSignal;
}

/** At most this often is progress reported while a file arrives. */
const progressIntervalMs = 100;

/** Makes sure the snapshot has all `files`. Resolves with how many had to be fetched. */
export async function downloadFiles(hub: Hub, cache: RepositoryCache, request: DownloadRequest): Promise<number> {
  const { repository, commit, signal } = request;
  const missing = await filesToLink(hub, cache, request);
  const pending = missing.filter(({ hasBlob }) => !hasBlob);
  const overallTotalBytes = pending.reduce((sum, { metadata }) => sum + metadata.size, 0);

  let finishedBytes = 0;
  for (const [fileIndex, { file, metadata }] of pending.entries()) {
    const report = throttled((loadedBytes) =>
      request.onProgress?.({
        model: request.model,
        repository,
        file,
        fileIndex,
        fileCount: pending.length,
        loadedBytes,
        totalBytes: metadata.size,
        overallLoadedBytes: finishedBytes + loadedBytes,
        overallTotalBytes,
      }),
    );
    const source = { hub, repository, commit, file, metadata };
    await fetchBlob(source, cache, report, signal);
    report(metadata.size, true);
    finishedBytes += metadata.size;
  }
  for (const { file, metadata } of missing) await cache.linkIntoSnapshot(commit, file, metadata.etag);
  return pending.length;
}

/** The files that the snapshot does not have at their full size, and whether their contents are in the cache. */
async function filesToLink(hub: Hub, cache: RepositoryCache, { repository, commit, files }: DownloadRequest) {
  const entries = await Promise.all(
    files.map(async (file) => {
      const metadata = await hub.fileMetadata(repository, commit, file);
      const [inSnapshot, inBlobs] = await Promise.all([
        fileSize(cache.snapshotFile(commit, file)),
        fileSize(cache.blobPath(metadata.etag)),
      ]);
      return { file, metadata, done: inSnapshot === metadata.size, hasBlob: inBlobs === metadata.size };
    }),
  );
  return entries.filter(({ done }) => !done);
}

interface Source {
  readonly hub: Hub;
  readonly repository: string;
  readonly commit: string;
  readonly file: string;
  readonly metadata: FileMetadata;
}

type Report = (loadedBytes: number, always?: boolean) => void;

/** Fetches one blob, unless another process does so first. */
async function fetchBlob(
  source: Source,
  cache: RepositoryCache,
  report: Report,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { etag, size } = source.metadata;
  const blob = cache.blobPath(etag);
  const partial = cache.partialPath(etag);
  await makeDirectory(dirname(blob));
  const lock = await acquireLock(cache.lockPath(etag), signal ? { signal } : {}).catch((cause: unknown) => {
    throw signal?.aborted ? transportError(source.hub.endpoint, cause, signal) : cause;
  });
  try {
    if ((await fileSize(blob)) === size) return;
    await fetchWhole(source, partial, report);
    await rename(partial, blob).catch((cause: unknown) => {
      throw cacheWriteError(blob, cause);
    });
  } finally {
    await lock.release();
  }
}

/** Brings `partial` to its full size and checks it. What does not match is fetched anew, once. */
async function fetchWhole(source: Source, partial: string, report: Report): Promise<void> {
  const { size } = source.metadata;
  for (let mismatches = 0; ;) {
    try {
      await fetchToSize(source, partial, report);
      const problem = await findMismatch(partial, source.metadata);
      if (problem === undefined) return;
      throw integrityError(source, problem);
    } catch (error) {
      // A part left by a crash, or by a server that sent something else, must not be resumed again.
      const spoilt = error instanceof GtewayError && error.code === 'ERR_HUB_INTEGRITY';
      if (!spoilt) throw error;
      await rm(partial, { force: true });
      if (++mismatches > 1) throw error;
      report(0, size > 0);
    }
  }
}

/** Appends to `partial` until it has the size it should; goes on after interruptions as long as bytes keep coming. */
async function fetchToSize(source: Source, partial: string, report: Report): Promise<void> {
  const { hub, repository, commit, file } = source;
  const { size } = source.metadata;
  let reached = (await fileSize(partial)) ?? 0;
  if (reached > size) throw integrityError(source, `has more than ${size} bytes`);
  report(reached, true);
  if (size === 0) await writeChunks(source, partial, 0, [], report);
  for (let failures = 0; reached < size;) {
    try {
      const body = await hub.openFile(repository, commit, file, reached);
      await writeChunks(source, partial, body.offset, body.chunks, report);
      const now = (await fileSize(partial)) ?? 0;
      if (now === size) return;
      throw new TransientError(integrityError(source, `ends after ${now} of ${size} bytes`));
    } catch (error) {
      if (!(error instanceof TransientError)) throw error;
      const now = (await fileSize(partial)) ?? 0;
      failures = now > reached ? 1 : failures + 1;
      reached = now;
      if (failures > maxRetries || (error.hopeless && reached === 0)) throw error.final;
      await hub.pause(failures, error);
    }
  }
}

/** Writes at explicit offsets, so that another writer of the same blob could only write the same bytes. */
async function writeChunks(
  source: Source,
  partial: string,
  offset: number,
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  report: Report,
): Promise<void> {
  // Not O_TRUNC: what is there stays until it is overwritten with the same bytes.
  const handle = await open(partial, constants.O_WRONLY | constants.O_CREAT, 0o644).catch((cause: unknown) => {
    throw cacheWriteError(partial, cause);
  });
  try {
    let position = offset;
    for await (const chunk of chunks) {
      if (position + chunk.length > source.metadata.size) {
        throw integrityError(source, `has more than ${source.metadata.size} bytes`);
      }
      await writeFully(handle, partial, chunk, position);
      position += chunk.length;
      report(position);
    }
    await handle.sync().catch((cause: unknown) => {
      throw cacheWriteError(partial, cause);
    });
  } finally {
    await handle.close();
  }
}

async function writeFully(
  handle: Awaited<ReturnType<typeof open>>,
  path: string,
  chunk: Uint8Array,
  position: number,
): Promise<void> {
  try {
    for (let written = 0; written < chunk.length;) {
      // A nearly full disk takes a part of the chunk first, and fails on the next call.
      written += (await handle.write(chunk, written, chunk.length - written, position + written)).bytesWritten;
    }
  } catch (cause) {
    throw cacheWriteError(path, cause);
  }
}

/** What is wrong with the file, or undefined when size and hash are those the hub states. */
async function findMismatch(path: string, { etag, size }: FileMetadata): Promise<string | undefined> {
  const actual = (await fileSize(path)) ?? 0;
  if (actual !== size) return `has ${actual} bytes, expected ${size}`;
  const isSha256 = etag.length === 64;
  const hash = createHash(isSha256 ? 'sha256' : 'sha1');
  // Git hashes a file behind a header: https://git-scm.com/book/en/v2/Git-Internals-Git-Objects
  if (!isSha256) hash.update(`blob ${size}\0`);
  await pipeline(createReadStream(path, { highWaterMark: 1 << 20 }), hash);
  const digest = hash.digest('hex');
  if (digest === etag) return undefined;
  return `has the ${isSha256 ? 'sha256' : 'git blob hash'} ${digest}, expected ${etag}`;
}

function integrityError({ hub, repository, commit, file }: Source, problem: string): GtewayError {
  return new GtewayError(
    'ERR_HUB_INTEGRITY',
    `'${file}' of ${repository}, as ${hub.endpoint} sends it, ${problem}. Nothing of it was kept as a model file; try ` +
      'again, and if it stays so, a proxy or mirror on the way changes it.',
    { details: { repository, commit, file } },
  );
}

function throttled(report: (loadedBytes: number) => void): Report {
  let last = -Infinity;
  return (loadedBytes, always = false) => {
    const now = performance.now();
    if (!always && now - last < progressIntervalMs) return;
    last = now;
    report(loadedBytes);
  };
}
