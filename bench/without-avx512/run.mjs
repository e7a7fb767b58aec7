#!/usr/bin/env node
/**
 * The bench with an ONNX Runtime that believes in no more than AVX2, which it cannot be told by an option: a fair opponent
 * for gteway's AVX2 kernels on a machine that has more.
 *
 *     node bench/without-avx512/run.mjs mixed --driver onnxruntime-node --driver encoder
 *
 * With --avx-vnni first it keeps AVX-VNNI, the opponent of gteway's kernels for processors that have that and no AVX-512:
 *
 *     node bench/without-avx512/run.mjs --avx-vnni mixed --driver onnxruntime-node --driver avxvnni
 *
 * A copy of its library gets another instruction in place of each cpuid that asks for vector instructions (those near an
 * xgetbv, which asks whether the system saves their registers), and mask-cpuid.c answers. Linux on x86-64, with a C compiler.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { installDependencies } from '../dependencies.mjs';

const here = dirname(fileURLToPath(import.meta.url));
/** Of the code around an xgetbv. */
const nearby = 600;

const keepsAvxVnni = process.argv[2] === '--avx-vnni';

installDependencies();
const ort = dirname(createRequire(join(here, '..', 'package.json')).resolve('onnxruntime-node/package.json'));
const libraries = join(ort, 'bin', 'napi-v6', 'linux', 'x64');
const name = readdirSync(libraries).find((file) => file.startsWith('libonnxruntime.so'));
if (name === undefined) throw new Error(`no ONNX Runtime in ${libraries}`);

const directory = mkdtempSync(join(tmpdir(), 'gteway-bench-'));
try {
  const library = readFileSync(join(libraries, name));
  const xgetbv = placesOf(library, Buffer.of(0x0f, 0x01, 0xd0));
  const cpuid = placesOf(library, Buffer.of(0x0f, 0xa2)).filter((at) =>
    xgetbv.some((place) => Math.abs(at - place) < nearby),
  );
  if (cpuid.length === 0) throw new Error(`${name} asks for no vector instructions where they were expected`);
  for (const at of cpuid) library.set([0x0f, 0x0b], at);
  writeFileSync(join(directory, name), library);

  const mask = join(directory, 'mask-cpuid.so');
  const flags = ['-O1', '-shared', '-fPIC', ...(keepsAvxVnni ? ['-DKEEP_AVX_VNNI'] : [])];
  const compiled = spawnSync('cc', [...flags, '-o', mask, join(here, 'mask-cpuid.c')], { stdio: 'inherit' });
  if (compiled.status !== 0) throw new Error('a C compiler is needed: cc');

  const bench = spawnSync(
    process.execPath,
    [join(here, '..', 'run.mjs'), ...process.argv.slice(keepsAvxVnni ? 3 : 2)],
    {
      stdio: 'inherit',
      env: { ...process.env, LD_PRELOAD: `${mask} ${join(directory, name)}` },
    },
  );
  process.exitCode = bench.status ?? 1;
} finally {
  rmSync(directory, { recursive: true, force: true });
}

/**
 * @param {Buffer} bytes
 * @param {Buffer} wanted
 */
function placesOf(bytes, wanted) {
  const places = [];
  for (let at = bytes.indexOf(wanted); at !== -1; at = bytes.indexOf(wanted, at + 1)) places.push(at);
  return places;
}
