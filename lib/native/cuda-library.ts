/** Where the encoder for CUDA devices is: GTEWAY_CUDA_LIBRARY, or beside the addon, where `npm run build:cuda` puts it. */
import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { GtewayError } from '../errors.js';
import { addonPath } from './binding.js';

/** An absolute path. Throws ERR_RUNTIME_UNAVAILABLE saying what was looked for and how to get it. */
export function cudaLibraryPath(): string {
  const given = process.env.GTEWAY_CUDA_LIBRARY;
  const isGiven = given !== undefined && given !== '';
  const path = isGiven ? resolve(given) : join(dirname(addonPath()), 'libgteway_cuda.so');
  if (existsSync(path)) return path;
  throw new GtewayError(
    'ERR_RUNTIME_UNAVAILABLE',
    isGiven
      ? `GTEWAY_CUDA_LIBRARY names ${path}, which does not exist`
      : `there is no ${path}: the encoder for CUDA devices was not built. \`npm run build:cuda\` builds it where nvcc is`,
  );
}
