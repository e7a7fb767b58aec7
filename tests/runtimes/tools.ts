/**
 * The runtimes and packages that only these tests need. They are in a package of their own, so that the library's own
 * `npm ci` stays light, and are installed when the first test asks for them.
 */
import { execFile } from 'node:child_process';
import { existsSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { buildLibrary, oneAtATime, root } from '../built-library.js';
import { registryProblem } from '../registry.js';

export const here = join(root, 'tests', 'runtimes');
const modules = join(here, 'node_modules');

export type RuntimeName = 'node' | 'deno' | 'bun';

export interface Runtime {
  readonly name: RuntimeName;
  readonly command: string;
  /** What comes before the script. */
  readonly arguments: readonly string[];
}

export interface Tools {
  readonly runtimes: readonly Runtime[];
  runtime(name: RuntimeName): Runtime;
  /** Imports a package that is installed here. */
  import(name: string): Promise<unknown>;
}

/** Why the tools cannot be had: the registry cannot be reached, or has nothing for this platform. */
export interface NoTools {
  readonly reason: string;
}

let wanted: Promise<Tools | NoTools> | undefined;

export function runtimeTools(): Promise<Tools | NoTools> {
  return (wanted ??= prepare());
}

async function prepare(): Promise<Tools | NoTools> {
  let reason: string | undefined;
  await oneAtATime(join(here, 'install.lock'), async () => {
    reason = await install();
  });
  if (reason !== undefined) return { reason };
  await buildLibrary();

  const runtimes: Runtime[] = [
    { name: 'node', command: process.execPath, arguments: [] },
    { name: 'deno', command: binary('deno'), arguments: ['run', '-A', '--node-modules-dir=manual', '--no-lock'] },
    { name: 'bun', command: binary('bun'), arguments: [] },
  ];
  const absent = runtimes.find(({ command }) => command === '');
  if (absent) return { reason: `the npm package ${absent.name} has no binary for ${process.platform}-${process.arch}` };
  const require = createRequire(join(here, 'package.json'));
  return {
    runtimes,
    runtime: (name) => runtimes.find((runtime) => runtime.name === name) ?? unknown(name),
    import: (name) => import(pathToFileURL(require.resolve(name)).href),
  };
}

function unknown(name: string): never {
  throw new Error(`there is no runtime named ${name}`);
}

async function install(): Promise<string | undefined> {
  const wantedTools = readFileSync(join(here, 'package.json'), 'utf8');
  const mark = join(modules, '.installed');
  if (!existsSync(mark) || readFileSync(mark, 'utf8') !== wantedTools) {
    try {
      await promisify(execFile)('npm', ['install', '--no-progress'], {
        cwd: here,
        timeout: 240_000,
        shell: process.platform === 'win32',
      });
    } catch (error) {
      const reason = registryProblem(error);
      if (reason === undefined) throw error;
      return reason;
    }
    writeFileSync(mark, wantedTools);
  }
  // What is tested is found as users' code finds it, by its name.
  if (!existsSync(join(modules, 'gteway'))) symlinkSync(root, join(modules, 'gteway'), 'junction');
  return undefined;
}

/** The executable inside the npm packages `deno` and `bun`, which their install scripts would otherwise link. */
function binary(name: 'deno' | 'bun'): string {
  const exe = process.platform === 'win32' ? '.exe' : '';
  const arch = process.arch === 'arm64' ? 'aarch64' : 'x64';
  const libc = process.platform === 'linux' ? (isMusl() ? 'musl' : 'glibc') : '';
  const places =
    name === 'deno'
      ? [`@deno/${process.platform}-${process.arch}${libc && `-${libc}`}/deno${exe}`]
      : [
          `@oven/bun-${process.platform === 'win32' ? 'windows' : process.platform}-${arch}${libc === 'musl' ? '-musl' : ''}/bin/bun${exe}`,
        ];
  return places.map((place) => join(modules, place)).find((path) => existsSync(path)) ?? '';
}

function isMusl(): boolean {
  const { header } = process.report.getReport() as { header: { glibcVersionRuntime?: string } };
  return header.glibcVersionRuntime === undefined;
}
