/** The package as npm sees it: what is in the tarball, how it is entered, and the build's other doors. */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  version: string;
  exports: Record<string, { types: string; default: string } | string>;
  bin: Record<string, string>;
};

test('the tarball has what an installation needs, and nothing of the workshop', () => {
  const output = execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
    cwd: root,
    encoding: 'utf8',
  });
  const [pack] = JSON.parse(output) as [{ files: { path: string }[] }];
  const files = pack.files.map((file) => file.path);
  for (const needed of [
    'dist/index.js',
    'dist/index.d.ts',
    'dist/cli/main.js',
    'types/binding.d.ts',
    'native/CMakeLists.txt',
    'native/package.json',
    'native/src/addon/addon.cpp',
    'binding.gyp',
    'scripts/install.mjs',
    'README.md',
    'LICENSE',
    // Where README.md leads, and the chart it shows.
    'docs/README.md',
    'docs/getting-started.md',
    'CHANGELOG.md',
    'SECURITY.md',
    'bench/speed.svg',
  ]) {
    expect(files).toContain(needed);
  }
  const workshop = files.filter((file) => file !== 'bench/speed.svg');
  expect(workshop.filter((file) => /^(tests|bench|build|node_modules|\.cache|native\/tests)\//.test(file))).toEqual([]);
});

test('every file that package.json names exists', () => {
  const entries = Object.values(manifest.exports).flatMap((entry) =>
    typeof entry === 'string' ? entry : Object.values(entry),
  );
  for (const path of [...entries, ...Object.values(manifest.bin)]) {
    expect(existsSync(join(root, path)), path).toBe(true);
  }
});

test('import and require() both reach it by its name', () => {
  const imported = "import('gteway').then(({ Session }) => console.log(typeof Session))";
  const required = "console.log(typeof require('gteway').Session)";
  for (const script of [imported, required]) {
    const { stdout, stderr } = spawnSync(process.execPath, ['-e', script], { cwd: root, encoding: 'utf8' });
    expect(stdout.trim(), stderr).toBe('function');
  }
});

test('importing it opens neither the addon nor ONNX Runtime', (context) => {
  if (process.platform !== 'linux') return context.skip('needs /proc/self/maps');
  const script =
    "import('gteway').then(() => { const maps = require('node:fs').readFileSync('/proc/self/maps', 'utf8');" +
    'console.log(/gteway\\.node|libonnxruntime/.test(maps)); })';
  const { stdout, stderr } = spawnSync(process.execPath, ['-e', script], { cwd: root, encoding: 'utf8' });
  expect(stdout.trim(), stderr).toBe('false');
});

test('the addon is of this version, exports one symbol, and links no ONNX Runtime', (context) => {
  const path = join(root, 'build', 'Release', 'gteway.node');
  expect((createRequire(import.meta.url)(path) as { version: string }).version).toBe(manifest.version);
  const nm = spawnSync('nm', ['-D', '--defined-only', path], { encoding: 'utf8' });
  if (nm.error !== undefined) return context.skip('nm is not installed');
  const exported = nm.stdout.split('\n').flatMap((line) => / [TDBVW] (\S+)$/.exec(line)?.[1] ?? []);
  expect(
    exported.filter((symbol) => !/^(napi_register_module_v\d+|node_api_module_get_api_version_v\d+)$/.test(symbol)),
  ).toEqual([]);
  const needed = spawnSync('readelf', ['-d', path], { encoding: 'utf8' }).stdout;
  expect(needed).not.toContain('onnxruntime');
});
