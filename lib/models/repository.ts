/** Finds a hub repository's files in the cache, or brings them there. */
import { resolve } from 'node:path';
import { GtewayError, isGtewayError } from '../errors.js';
import { directoryFiles, RepositoryCache } from './cache.js';
import { type DownloadProgress, downloadFiles } from './download.js';
import { defaultCacheDirectory, expandHome, isOffline } from './environment.js';
import { Hub, type RepositoryInfo } from './hub.js';
import {
  chooseWeights,
  configFile,
  externalDataFiles,
  type FileSet,
  missingWeightsMessage,
  optionalFiles,
  tokenizerFile,
  weightsCandidates,
  type WeightsChoice,
} from './model-files.js';
import { isRelativeFile } from './names.js';
import { promptsFile } from './prompts.js';
import { layoutOf } from './static-model.js';
import type { KnownModel } from './registry.js';

/** What is wanted of a repository. */
export type FileSelection =
  { readonly kind: 'tokenizer' } | { readonly kind: 'model'; readonly weights: WeightsChoice };

export interface RepositoryReference {
  readonly name: string;
  readonly repository: string;
  readonly facts?: KnownModel;
}

export interface RepositoryOptions {
  cacheDir?: string;
  offline?: boolean;
  refresh?: boolean;
  onProgress?: (progress: DownloadProgress) => void;
  signal?: AbortSignal;
}

export interface LocatedRepository {
  readonly source: 'cache' | 'hub';
  readonly repository: string;
  /** The commit. */
  readonly revision: string;
  /** The snapshot's directory. */
  readonly directory: string;
}

/** Which of the selected files a set has. */
interface Inventory {
  /** Wanted files that are there. */
  readonly present: string[];
  /** Files the model cannot do without; weights are named by their best candidate. */
  readonly missing: string[];
  /** Files it can do without, but that would be used. */
  readonly missingOptional: string[];
}

/**
 * The directory of a snapshot that has what `selection` wants.
 *
 * The cache is asked first, and the hub only for what it lacks. A branch therefore stays at the commit that was fetched
 * until `refresh`. A repository that is cached but for optional files is used as it is when the hub fails.
 */
export async function locateRepository(
  reference: RepositoryReference,
  revision: string,
  selection: FileSelection,
  options: RepositoryOptions,
): Promise<LocatedRepository> {
  const { repository } = reference;
  const cacheDirectory =
    options.cacheDir === undefined ? defaultCacheDirectory() : resolve(expandHome(options.cacheDir));
  const cache = new RepositoryCache(cacheDirectory, repository);
  const isKnown = reference.facts !== undefined;

  const cachedCommit = await cache.commitOf(revision);
  const cached =
    cachedCommit === undefined ? undefined : takeCached(cache, repository, cachedCommit, selection, isKnown);
  if (cached?.complete && !options.refresh) return cached.located;

  if (options.offline ?? isOffline()) {
    if (cached?.usable) return cached.located;
    throw offlineError(reference, revision, cacheDirectory, cached?.missing, options.offline === true);
  }

  const hub = await Hub.connect(options.signal);
  try {
    let info: RepositoryInfo;
    if (cached?.usable && !options.refresh) {
      const answer = await askForMore(hub, repository, cached.located.revision);
      if (answer === undefined) return cached.located;
      info = answer;
    } else {
      info = await hub.repositoryInfo(repository, revision);
    }
    const listing = listedFiles(info.files);
    const wanted = takeInventory(listing, selection, isKnown);
    if (wanted.missing.length > 0) throw incompleteRepository(reference, info.commit, wanted, listing, selection);

    const fetched = await downloadFiles(hub, cache, {
      model: reference.name,
      repository,
      commit: info.commit,
      files: wanted.present,
      ...(options.onProgress ? { onProgress: options.onProgress } : {}),
      ...(options.signal ? { signal: options.signal } : {}),
    });
    // These marks only save asking again, so a cache that cannot be written does without.
    for (const file of wanted.missingOptional) await cache.rememberAbsent(info.commit, file).catch(() => undefined);
    // Last, so that a branch never points at a commit whose files are still on their way.
    await cache.rememberCommit(revision, info.commit);
    return {
      source: fetched > 0 ? 'hub' : 'cache',
      repository,
      revision: info.commit,
      directory: cache.snapshotDirectory(info.commit),
    };
  } finally {
    hub.close();
  }
}

/**
 * What the hub has at the commit that is in the cache, when all that is open is whether it has further files. A hub that
 * fails is then no reason to fail, nor to wait long: the answer is undefined.
 */
async function askForMore(hub: Hub, repository: string, commit: string): Promise<RepositoryInfo | undefined> {
  try {
    return await hub.repositoryInfo(repository, commit, { retries: false });
  } catch (error) {
    if (isGtewayError(error, 'ERR_ABORTED')) throw error;
    return undefined;
  }
}

function takeCached(
  cache: RepositoryCache,
  repository: string,
  commit: string,
  selection: FileSelection,
  isKnown: boolean,
) {
  const directory = cache.snapshotDirectory(commit);
  const inventory = takeInventory(directoryFiles(directory), selection, isKnown);
  const usable = inventory.missing.length === 0;
  // What another program fetched may lack files that change the result; a listed model needs none of them.
  const complete =
    usable &&
    (isKnown ||
      // Names of prompts change nothing that was not asked for.
      inventory.missingOptional.every((file) => file === promptsFile || cache.isKnownAbsent(commit, file)));
  const located: LocatedRepository = { source: 'cache', repository, revision: commit, directory };
  return { located, usable, complete, missing: inventory.missing };
}

function takeInventory(files: FileSet, selection: FileSelection, isKnown: boolean): Inventory {
  const present: string[] = [];
  const missing: string[] = [];
  const missingOptional: string[] = [];
  const { describedBy, tokenizer } = layoutOf(files);
  const needed = [describedBy, tokenizer];
  for (const file of needed) (files.has(file) ? present : missing).push(file);
  for (const file of optionalFiles(selection.kind, isKnown)) {
    if (needed.includes(file)) continue;
    (files.has(file) ? present : missingOptional).push(file);
  }
  if (selection.kind === 'model') {
    const weights = chooseWeights(files, selection.weights);
    if (weights === undefined) missing.push(weightsCandidates(selection.weights)[0] ?? '');
    else {
      const data = externalDataFiles(files, weights);
      present.push(weights, ...data);
      if (data.length === 0 && weights.endsWith('.onnx')) missingOptional.push(`${weights}_data`);
    }
  }
  return { present, missing, missingOptional };
}

/** The hub's list as a set; names that could lead out of a directory are not in it. */
function listedFiles(names: readonly string[]): FileSet {
  const safe = new Set(names.filter(isRelativeFile));
  return { has: (file) => safe.has(file), list: () => [...safe] };
}

function incompleteRepository(
  reference: RepositoryReference,
  commit: string,
  { missing }: Inventory,
  listing: FileSet,
  selection: FileSelection,
): GtewayError {
  const where = `${reference.repository} (at ${commit.slice(0, 7)})`;
  const onnxFiles = listing.list().filter((file) => file.endsWith('.onnx'));
  const onlyWeights = selection.kind === 'model' && missing.length === 1 && !listing.has(missing[0] ?? '');
  const message =
    onlyWeights && listing.has(configFile) && listing.has(tokenizerFile)
      ? missingWeightsMessage(where, onnxFiles, selection.weights)
      : `${where} has no ${missing.join(' and no ')}, so it is not a model gteway can load. It has: ` +
        (listing.list().slice(0, 20).join(', ') || 'nothing');
  return new GtewayError('ERR_MODEL_NOT_FOUND', message, {
    details: { model: reference.name, repository: reference.repository, missing, available: listing.list() },
  });
}

function offlineError(
  reference: RepositoryReference,
  revision: string,
  cacheDirectory: string,
  missing: readonly string[] | undefined,
  byOption: boolean,
): GtewayError {
  const lacks = missing === undefined ? `no '${revision}' of ${reference.repository}` : `no ${missing.join(', no ')}`;
  const why = byOption ? 'the offline option is set' : 'HF_HUB_OFFLINE is set';
  return new GtewayError(
    'ERR_OFFLINE',
    `model '${reference.name}': the cache in ${cacheDirectory} has ${lacks}, and ${why}. ` +
      `Fetch it once where the hub can be reached (npx gteway pull ${reference.name}), or allow downloading.`,
    { details: { model: reference.name, repository: reference.repository, cacheDirectory, missing: missing ?? [] } },
  );
}
