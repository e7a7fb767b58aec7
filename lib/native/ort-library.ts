/**
 * Where ONNX Runtime's shared library is: GTEWAY_ORT_LIBRARY, or the copy inside the `onnxruntime-node` package that the
 * application itself would resolve, so that one process never opens two different ones.
 */
import { existsSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import { GtewayError } from '../errors.js';
import { runsOnMusl } from './binding.js';
import { outsideArchive } from './outside-archive.js';

const names: Readonly<Record<string, RegExp>> = {
  linux: /^libonnxruntime\.so(\.\d+)*$/,
  darwin: /^libonnxruntime(\.\d+)*\.dylib$/,
  win32: /^onnxruntime\.dll$/,
};

/** An absolute path. Throws ERR_RUNTIME_UNAVAILABLE saying what was looked for and how to get it. */
export function ortLibraryPath(): string {
  const given = process.env.GTEWAY_ORT_LIBRARY;
  if (given !== undefined && given !== '') {
    const path = isAbsolute(given) ? given : resolve(given);
    if (existsSync(path)) return path;
    throw new GtewayError('ERR_RUNTIME_UNAVAILABLE', `GTEWAY_ORT_LIBRARY names ${path}, which does not exist`);
  }
  if (runsOnMusl())
    throw new GtewayError(
      'ERR_RUNTIME_UNAVAILABLE',
      'this Node.js runs on musl, and the ONNX Runtime of onnxruntime-node on glibc alone; ' +
        'set GTEWAY_ORT_LIBRARY to the path of one (1.22 or later) built for musl',
    );
  const packageDirectory = dirname(resolvePackage());
  const bin = join(packageDirectory, 'bin');
  const pattern = names[process.platform];
  for (const napi of list(bin)) {
    const folder = join(bin, napi, process.platform, process.arch);
    // The shortest name is the one its own soname has: libonnxruntime.so.1.
    const found = list(folder)
      .filter((file) => pattern?.test(file) === true)
      .sort((a, b) => a.length - b.length)[0];
    if (found !== undefined) return outsideArchive(join(folder, found));
  }
  throw new GtewayError(
    'ERR_RUNTIME_UNAVAILABLE',
    `onnxruntime-node at ${packageDirectory} has no library for ${process.platform}-${process.arch}; ` +
      'set GTEWAY_ORT_LIBRARY to the path of an ONNX Runtime (1.22 or later) built for this machine',
  );
}

function resolvePackage(): string {
  for (const start of [process.argv[1], import.meta.url]) {
    if (start === undefined) continue;
    try {
      return createRequire(start).resolve('onnxruntime-node/package.json');
    } catch {
      // Not visible from there: try the next place.
    }
  }
  throw new GtewayError(
    'ERR_RUNTIME_UNAVAILABLE',
    'the package onnxruntime-node is not installed, so there is no ONNX Runtime to run the model with. npm leaves it out ' +
      'silently when its install step fails, which happens where the CUDA libraries it wants to download cannot be ' +
      'reached: ONNXRUNTIME_NODE_INSTALL=skip npm install onnxruntime-node installs the CPU library alone. ' +
      'Or set GTEWAY_ORT_LIBRARY to the path of an ONNX Runtime shared library (1.22 or later)',
  );
}

function list(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}
