#!/usr/bin/env node
// `npm run prebuilds`: compiles the addon for every platform of targets.mjs into prebuilds/, refuses what a system could
// not load, and packs the tarball that npm would publish. Names of targets as arguments: these alone, and no tarball.
// --twice: compile each a second time, in another folder, and compare the bits.
// --jobs N: compilers at once (2). Runs on linux x64; fetches zig from the npm registry once.
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { gzipSync } from 'node:zlib';
import { readBinary } from './binary.mjs';
import { faultsOf } from './demands.mjs';
import { targets } from './targets.mjs';
import { zigFolder } from './zig.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
const cache = join(root, '.cache');
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { twice: { type: 'boolean', default: false }, jobs: { type: 'string', default: '2' } },
});
const unknown = positionals.filter((name) => !targets.some((target) => target.name === name));
if (unknown.length > 0) {
  console.error(`no such target: ${unknown.join(', ')}; there are ${targets.map(({ name }) => name).join(', ')}`);
  process.exit(1);
}
const wanted = targets.filter(({ name }) => positionals.length === 0 || positionals.includes(name));
const zig = zigFolder(cache);
const jobs = String(Math.min(Number(values.jobs), availableParallelism()));

const rows = wanted.map((target) => {
  const started = performance.now();
  const built = compile(target, join(root, 'build', 'prebuild', target.name));
  const seconds = Math.round((performance.now() - started) / 1000);
  const bytes = readFileSync(built);
  const faults = faultsOf(target, bytes);
  if (faults.length > 0) fail(`${target.name}: ${faults.join('; ')}`);
  if (values.twice) {
    const again = join(root, 'build', 'prebuild-again', target.name);
    rmSync(again, { recursive: true, force: true });
    if (!readFileSync(compile(target, again)).equals(bytes)) fail(`${target.name}: two builds differ`);
  }
  const place = join(root, 'prebuilds', target.file);
  mkdirSync(dirname(place), { recursive: true });
  copyFileSync(built, `${place}.partial`);
  renameSync(`${place}.partial`, place);
  const { versions } = readBinary(bytes);
  const asks = Object.entries(versions).map(([family, version]) => `${family}_${version}`);
  console.log(`${target.name}: ${bytes.length} bytes in ${seconds} s${values.twice ? ', the same twice' : ''}`);
  const sha256 = createHash('sha256').update(bytes).digest('hex').slice(0, 16);
  return [
    target.file,
    kilobytes(bytes.length),
    kilobytes(gzipSync(bytes, { level: 9 }).length),
    asks.join(', ') || '–',
    sha256,
  ];
});

console.log('\n| file | kB | gzipped, kB | newest symbols | SHA-256 begins |\n| --- | ---: | ---: | --- | --- |');
for (const row of rows) console.log(`| ${row.join(' | ')} |`);

if (positionals.length === 0) {
  execFileSync('npm', ['run', '--silent', 'build:ts'], { cwd: root, stdio: 'inherit' });
  const folder = join(root, 'build');
  const pack = execFileSync('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', folder], {
    cwd: root,
    encoding: 'utf8',
  });
  const [{ filename, size, unpackedSize }] = JSON.parse(pack);
  console.log(`\nbuild/${basename(filename)}: ${kilobytes(size)} kB, ${kilobytes(unpackedSize)} kB unpacked`);
}

/** Compiles the addon of `target` in `folder`: the path of the stripped file. */
function compile(target, folder) {
  // Neither where the sources are nor when they were compiled may show.
  const flags = `-ffile-prefix-map=${root}=/gteway/ -ffile-prefix-map=${folder}=/build -g0`;
  const env = {
    ...process.env,
    ZIG_GLOBAL_CACHE_DIR: join(cache, 'zig-objects'),
    ZIG_LOCAL_CACHE_DIR: join(folder, 'zig'),
  };
  mkdirSync(folder, { recursive: true });
  const configure = [
    ...['-S', join(root, 'native'), '-B', folder, '-G', 'Unix Makefiles', '-DCMAKE_BUILD_TYPE=Release'],
    ...[`-DCMAKE_TOOLCHAIN_FILE=${join(root, 'native', 'zig.cmake')}`, `-DGTEWAY_ZIG=${zig}`],
    ...[`-DGTEWAY_TARGET=${target.zig}`, `-DGTEWAY_SYSTEM=${target.system}`, `-DGTEWAY_PROCESSOR=${target.processor}`],
    ...[`-DCMAKE_CXX_FLAGS=${flags}`, '-DCMAKE_MODULE_LINKER_FLAGS=-s'],
  ];
  for (const args of [configure, ['--build', folder, '--target', 'gteway', '--parallel', jobs]]) {
    const { status, error, stdout } = spawnSync('cmake', args, {
      env,
      encoding: 'utf8',
      maxBuffer: 2 ** 30,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    if (error) throw error;
    if (status !== 0) fail(`${target.name} did not compile:\n${stdout}`);
  }
  const built = join(folder, 'Release', 'gteway.node');
  if (!existsSync(built) || statSync(built).size === 0) fail(`${target.name}: there is no ${built}`);
  return built;
}

/** @param {number} bytes */
function kilobytes(bytes) {
  return Math.round(bytes / 1000).toLocaleString('en');
}

/** @param {string} message @returns {never} */
function fail(message) {
  console.error(`prebuild: ${message}`);
  process.exit(1);
}
