#!/usr/bin/env node
// Builds libgteway_cuda with nvcc, beside the addon, for compute capabilities 8.0, 8.9 and 9.0, with PTX for what comes
// after. --arch 90: for one alone, which is quicker. --out FILE: elsewhere. Exit status 77: there is no nvcc here.
import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { delimiter, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const root = fileURLToPath(new URL('..', import.meta.url));
const { values } = parseArgs({ options: { arch: { type: 'string' }, out: { type: 'string' } } });
const architectures = values.arch === undefined ? ['80', '89', '90'] : [values.arch];
const output = resolve(values.out ?? join(root, 'build', 'Release', 'libgteway_cuda.so'));

const homes = [process.env['CUDA_HOME'], process.env['CUDA_PATH'], '/usr/local/cuda'].filter(Boolean);
const path = [process.env['PATH'] ?? '', ...homes.map((home) => join(home, 'bin'))].join(delimiter);
const env = { ...process.env, PATH: path };
const version = spawnSync('nvcc', ['--version'], { env, encoding: 'utf8' });
if (version.error) {
  console.log('no nvcc: install the CUDA toolkit, or set CUDA_HOME, to build the CUDA engine');
  process.exit(77);
}

// A vector must not depend on its batch to the last bit, and kernels of different tiles compute the same row: so the
// compiler may not choose where to contract a product and a sum (-fmad=false); where it pays, the source says fmaf.
const source = join(root, 'native', 'src', 'engine', 'cuda', 'device');
const code = architectures.map((arch) => `-gencode=arch=compute_${arch},code=sm_${arch}`);
const newest = architectures.at(-1);
if (!newest.endsWith('a')) code.push(`-gencode=arch=compute_${newest},code=compute_${newest}`);
mkdirSync(dirname(output), { recursive: true });
const { status } = spawnSync(
  'nvcc',
  [
    ...['-std=c++20', '-O3', '-fmad=false', '--expt-relaxed-constexpr', '--threads', '0', ...code],
    ...['-I', join(root, 'native', 'src'), '-Xcompiler', '-fPIC,-Wall,-fvisibility=hidden,-static-libstdc++'],
    ...['-cudart', 'static', '-shared', '-Xlinker', `--version-script=${join(source, 'exports.map')},-z,nodelete`],
    ...['-Xcompiler', '-static-libstdc++,-static-libgcc', '-o', output, join(source, 'library.cu')],
  ],
  { env, stdio: 'inherit' },
);
if (status === 0) console.log(`${output} for ${architectures.map((arch) => `sm_${arch}`).join(', ')}`);
process.exit(status ?? 1);
