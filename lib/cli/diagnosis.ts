/** What gteway finds on this machine, each part by itself: one that fails is told, and the others still are. */
import { access, constants, statfs } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import type { CpuInfo, CudaDevice, OrtStatus } from '../../types/binding.js';
import { isGtewayError } from '../errors.js';
import type { SessionInfo } from '../engines/session-info.js';
import { bundledModel } from '../models/bundled.js';
import { defaultCacheDirectory, expandHome, isOffline } from '../models/environment.js';
import { type HubProbe, probeHub } from '../models/hub.js';
import { addonPath, binding } from '../native/binding.js';
import { cudaLibraryPath } from '../native/cuda-library.js';
import { ortLibraryPath } from '../native/ort-library.js';
import { Session } from '../session.js';
import { packageVersion } from './package-facts.js';

/** A finding, or why there is none. */
export type Found<T> = T | { readonly problem: string };

export interface Diagnosis {
  readonly gteway: string;
  readonly node: string;
  readonly platform: string;
  readonly addon: Found<{ path: string; version: string }>;
  readonly cpu: Found<CpuInfo>;
  /** Why the packed encoder cannot compute in a dtype; null: it can. */
  readonly encoder: Found<Readonly<Record<'fp32' | 'bf16' | 'int8', string | null>>>;
  readonly onnxRuntime: Found<{ path: string } & OrtStatus>;
  /** What the encoder for CUDA devices finds; it was never run on one, and is used only where it is asked for. */
  readonly cuda: Found<{ path: string; devices: readonly CudaDevice[] }>;
  readonly cache: Found<{ directory: string; freeBytes: number; writable: boolean }>;
  readonly hub: HubProbe;
  readonly environment: Readonly<Record<string, string>>;
  /** Whether a text can be embedded here, tried with the model in the package. */
  readonly embedding: Found<
    Pick<SessionInfo, 'dimensions' | 'device' | 'engine' | 'dtype' | 'isa' | 'threads' | 'fallbacks'>
  >;
}

export interface DiagnosisOptions {
  readonly cacheDir: string | undefined;
  readonly offline: boolean;
}

export function hasProblem(found: object): found is { readonly problem: string } {
  return 'problem' in found;
}

export async function diagnose({ cacheDir, offline }: DiagnosisOptions): Promise<Diagnosis> {
  const cacheDirectory = cacheDir === undefined ? defaultCacheDirectory() : resolve(expandHome(cacheDir));
  return {
    gteway: packageVersion(),
    node: process.version,
    platform: `${process.platform}-${process.arch}`,
    addon: await found(() => ({ path: addonPath(), version: binding().version })),
    cpu: await found(() => binding().cpu()),
    encoder: await found(() => {
      const why = (dtype: string): string | null => binding().encoderUnavailable(dtype);
      return { fp32: why('fp32'), bf16: why('bf16'), int8: why('int8') };
    }),
    onnxRuntime: await found(() => {
      const path = ortLibraryPath();
      return { path, ...binding().ortStatus(path) };
    }),
    cuda: await found(() => {
      const path = cudaLibraryPath();
      return { path, devices: binding().cudaDevices(path) };
    }),
    cache: await found(() => cacheFacts(cacheDirectory)),
    hub: offline && !isOffline() ? { endpoint: '', reachable: false, reason: '--offline' } : await probeHub(3_000),
    environment: environmentVariables(),
    embedding: await found(tryEmbedding),
  };
}

async function found<T extends object>(find: () => T | Promise<T>): Promise<Found<T>> {
  try {
    return await find();
  } catch (error) {
    return { problem: isGtewayError(error) ? `${error.message} [${error.code}]` : (error as Error).message };
  }
}

async function cacheFacts(directory: string): Promise<{ directory: string; freeBytes: number; writable: boolean }> {
  const existing = await nearestExisting(directory);
  const { bavail, bsize } = await statfs(existing);
  const writable = await access(existing, constants.W_OK).then(
    () => true,
    () => false,
  );
  return { directory, freeBytes: bavail * bsize, writable };
}

async function nearestExisting(path: string): Promise<string> {
  try {
    await access(path);
    return path;
  } catch (error) {
    if (dirname(path) === path) throw error;
    return nearestExisting(dirname(path));
  }
}

async function tryEmbedding(): Promise<SessionInfo> {
  await using session = await Session.load(bundledModel);
  const { data } = await session.embed('Is the doctor in?');
  const length = Math.hypot(...data);
  if (!(Math.abs(length - 1) < 1e-3)) throw new Error(`the vector has length ${length}, not 1`);
  return session.info;
}

/** The environment variables that gteway reads. */
export const honouredVariables = [
  'GTEWAY_ORT_LIBRARY',
  'GTEWAY_CUDA_LIBRARY',
  'GTEWAY_FORCE_ISA',
  'HF_ENDPOINT',
  'HF_TOKEN',
  'HUGGING_FACE_HUB_TOKEN',
  'HF_TOKEN_PATH',
  'HF_HOME',
  'HF_HUB_CACHE',
  'HUGGINGFACE_HUB_CACHE',
  'HF_HUB_OFFLINE',
  'HF_HUB_DOWNLOAD_TIMEOUT',
  'EXT_AI_CACHE_DIR',
  'XDG_CACHE_HOME',
  'HTTP_PROXY',
  'HTTPS_PROXY',
  'NO_PROXY',
  'http_proxy',
  'https_proxy',
  'no_proxy',
  'NODE_EXTRA_CA_CERTS',
  'AI_INFERENCE_API_HOST',
  'AI_INFERENCE_API_KEY',
  'PREBUILDS_ONLY',
  'DEBUG',
] as const;

/** Those that are set. Secrets are not repeated: doctor's output gets pasted into bug reports. */
function environmentVariables(): Record<string, string> {
  const set: Record<string, string> = {};
  for (const name of honouredVariables) {
    const value = process.env[name];
    if (value === undefined || value === '') continue;
    const isSecret = /(?:TOKEN|KEY)$/.test(name);
    set[name] = isSecret ? '(set)' : value.replace(/\/\/[^/@]*@/, '//(credentials)@');
  }
  return set;
}
