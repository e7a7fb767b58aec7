/**
 * Finds and loads the addon. The only file that touches the .node.
 *
 * Order: build/Release (compiled here), then prebuilds/<platform>-<arch>, of which on Linux the file for the C library
 * that this Node.js runs on. PREBUILDS_ONLY=1 skips the first.
 */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { NativeBinding } from '../../types/binding.js';
import { GtewayError } from '../errors.js';

const require = createRequire(import.meta.url);

/** The package's root, from lib/native as from dist/native. */
const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

let loaded: NativeBinding | undefined;

/** The addon, loaded on first use. Throws ERR_NATIVE_LOAD saying what was tried and what to do. */
export function binding(): NativeBinding {
  loaded ??= load();
  return loaded;
}

/** The file that binding() loads or would load. Throws where there is none. */
export function addonPath(): string {
  return nodeGypBuild().resolve(root);
}

interface NodeGypBuild {
  (directory: string): NativeBinding;
  resolve(directory: string): string;
}

/** It reads LIBC when it is loaded, and knows by itself only Alpine among the systems with musl. */
function nodeGypBuild(): NodeGypBuild {
  if (process.env.LIBC !== undefined || !runsOnMusl()) return require('node-gyp-build') as NodeGypBuild;
  process.env.LIBC = 'musl';
  try {
    return require('node-gyp-build') as NodeGypBuild;
  } finally {
    delete process.env.LIBC;
  }
}

/** Whether this process's C library is musl. LIBC says it where it is set, as for node-gyp-build. */
export function runsOnMusl(): boolean {
  if (process.platform !== 'linux') return false;
  if (process.env.LIBC !== undefined) return process.env.LIBC === 'musl';
  // The report is slow to make, and Deno's and Bun's do not tell: it is asked where musl is installed at all.
  const machine = process.arch === 'arm64' ? 'aarch64' : 'x86_64';
  if (!existsSync(`/lib/ld-musl-${machine}.so.1`)) return false;
  if ('deno' in process.versions || 'bun' in process.versions) return false;
  const { header } = process.report.getReport() as unknown as { header: { glibcVersionRuntime?: string } };
  return header.glibcVersionRuntime === undefined;
}

function load(): NativeBinding {
  try {
    return nodeGypBuild()(root);
  } catch (cause) {
    const places = [join(root, 'build', 'Release'), join(root, 'prebuilds', `${process.platform}-${process.arch}`)];
    const tried = places.map((place) => `  ${place}: ${existsSync(place) ? 'present' : 'not there'}`).join('\n');
    throw new GtewayError(
      'ERR_NATIVE_LOAD',
      `gteway's native addon could not be loaded on ${process.platform}-${process.arch}, Node ${process.version}: ` +
        `${(cause as Error).message}\nTried:\n${tried}\n` +
        'Run `npm rebuild gteway` on the machine that runs it (needs CMake ≥ 3.22 and a C++20 compiler). ' +
        'If the package was installed with --ignore-scripts, its install step never ran. ' +
        'If gteway was bundled into another file, make it external: docs/install.md says how for each bundler.',
      { cause },
    );
  }
}
