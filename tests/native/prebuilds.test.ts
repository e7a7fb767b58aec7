/**
 * What a prebuilt addon must be, so that the systems it is for can load it: its symbols, libraries and signature. The
 * addons themselves are there after `npm run prebuilds` only; what reads them is tested on files that always are.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { compareVersions, readBinary } from '../../scripts/prebuild/binary.mjs';
import { faultsOf } from '../../scripts/prebuild/demands.mjs';
import { targets, type Target } from '../../scripts/prebuild/targets.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
const require = createRequire(import.meta.url);
const addon = join(root, 'build', 'Release', 'gteway.node');

interface NodeGypBuild {
  parseTags(file: string): { libc?: string; armv?: string } | undefined;
  parseTuple(folder: string): { platform: string; architectures: string[] } | undefined;
}
const nodeGypBuild = require('node-gyp-build') as NodeGypBuild;

function target(name: string): Target {
  const found = targets.find((one) => one.name === name);
  if (found === undefined) throw new Error(`no target ${name}`);
  return found;
}

test.for(targets)('$name: the prebuilt addon is as its system needs it', (one, context) => {
  const path = join(root, 'prebuilds', one.file);
  if (!existsSync(path)) return context.skip(`not built here: npm run prebuilds -- ${one.name}`);
  expect(faultsOf(one, readFileSync(path))).toEqual([]);
});

test('CMake knows the processor of every target by a name that the kernels are built for', () => {
  const lists = readFileSync(join(root, 'native', 'CMakeLists.txt'), 'utf8');
  const branches = [...lists.matchAll(/^(?:else)?if\(CMAKE_SYSTEM_PROCESSOR MATCHES "([^"]+)"\)/gm)];
  const [x64 = '', arm64 = ''] = branches.map(([, names = '']) => names);
  for (const { name, processor, arch } of targets)
    expect(new RegExp(arch === 'x64' ? x64 : arm64).test(processor), name).toBe(true);
});

test('node-gyp-build reads from every file name what the file is for', () => {
  expect(new Set(targets.map(({ file }) => file)).size).toBe(8);
  for (const { name, file, arch } of targets) {
    const [folder = '', base = ''] = file.split('/');
    const [platform, , libc] = name.split('-');
    expect(nodeGypBuild.parseTuple(folder)).toMatchObject({ platform, architectures: [arch] });
    const tags = nodeGypBuild.parseTags(base);
    expect(tags?.libc, file).toBe(libc);
    expect(tags?.armv, file).toBe(arch === 'arm64' ? '8' : undefined);
  }
});

test('of an ELF file the same is read as nm and readelf read', (context) => {
  if (process.platform !== 'linux') return context.skip('the addon built here is no ELF file');
  const nm = (...options: string[]) => {
    const { stdout, error } = spawnSync('nm', ['-D', '--without-symbol-versions', '-j', ...options, addon], {
      encoding: 'utf8',
    });
    if (error) context.skip('nm is not installed');
    return stdout.split('\n').filter((line) => line !== '');
  };
  const binary = readBinary(readFileSync(addon));
  expect(binary).toMatchObject({ format: 'elf', arch: process.arch, staysLoaded: true });
  expect([...binary.exports].sort()).toEqual(nm('--defined-only').sort());
  expect([...binary.imports].sort()).toEqual(nm('--undefined-only').sort());
  const readelf = spawnSync('readelf', ['-d', '-V', '-W', addon], { encoding: 'utf8' }).stdout;
  for (const library of binary.libraries) expect(readelf).toContain(`Shared library: [${library}]`);
  const glibc = [...readelf.matchAll(/Name: GLIBC_([\d.]+)/g)].map((match) => match[1] ?? '').sort(compareVersions);
  expect(binary.versions.GLIBC).toBe(glibc.at(-1));
});

test('of PE and Mach-O files exports, imports, libraries and the signature are read', (context) => {
  let bin: string;
  try {
    bin = join(dirname(require.resolve('onnxruntime-node/package.json')), 'bin', 'napi-v6');
  } catch {
    return context.skip('onnxruntime-node, whose files these are, is not installed');
  }
  const entrance = 'napi_register_module_v1';
  for (const arch of ['x64', 'arm64'] as const) {
    const pe = readBinary(readFileSync(join(bin, 'win32', arch, 'onnxruntime_binding.node')));
    expect(pe).toMatchObject({ format: 'pe', arch });
    expect(pe.exports).toContain(entrance);
    expect(pe.imports).toContain('GetProcAddress');
    expect(pe.libraries).toEqual(expect.arrayContaining(['onnxruntime.dll', 'KERNEL32.dll']));
  }
  const file = readFileSync(join(bin, 'darwin', 'arm64', 'onnxruntime_binding.node'));
  const macho = readBinary(file);
  expect(macho).toMatchObject({ format: 'macho', arch: 'arm64', signature: 'ad hoc' });
  expect(macho.exports).toContain(entrance);
  expect(macho.imports).toEqual(expect.arrayContaining(['OrtGetApiBase', 'napi_create_function']));
  expect(macho.libraries).toContain('/usr/lib/libSystem.B.dylib');
  // One byte of the code that the signature is about.
  file.writeUInt8(file.readUInt8(0x4000) ^ 1, 0x4000);
  expect(readBinary(file).signature).toBe('broken');
});

test('what a system could not load, or what would clash with other addons, is named', (context) => {
  let bin: string;
  try {
    bin = join(dirname(require.resolve('onnxruntime-node/package.json')), 'bin', 'napi-v6');
  } catch {
    return context.skip('onnxruntime-node, whose files these are, is not installed');
  }
  const faults = (one: Target, path: string) => faultsOf(one, readFileSync(join(bin, path))).join('\n');
  const older: Target = { ...target('linux-x64-glibc'), ceilings: { GLIBC: '2.2.4' } };
  const linux = faults(older, 'linux/x64/onnxruntime_binding.node');
  expect(linux).toMatch(/it links .*libonnxruntime\.so\.1/);
  expect(linux).toMatch(/it wants GLIBC_2\.\d+, and GLIBC_2\.2\.4 is the newest it may/);
  expect(linux).toMatch(/it wants symbols of GLIBCXX_/);
  expect(linux).toMatch(/could be unloaded/);
  expect(faults(target('linux-x64-glibc'), 'linux/arm64/onnxruntime_binding.node')).toMatch(
    /it is elf for arm64, not elf for x64/,
  );
  expect(faults(target('win32-x64'), 'win32/x64/onnxruntime_binding.node')).toMatch(/it links onnxruntime\.dll/);
  expect(faults(target('darwin-arm64'), 'darwin/arm64/onnxruntime_binding.node')).toMatch(/it exports \d+ names/);
  expect(() => readBinary(Buffer.alloc(4096))).toThrow('neither a 64-bit ELF');
});
