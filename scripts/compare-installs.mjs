#!/usr/bin/env node
// How long installing takes, and how much it brings, beside packages for the same purpose: each with npm, an empty cache and an
// empty project, as a table. gteway comes from its tarball (build/, or --tarball). Needs the npm registry, and a quiet machine
// for the seconds. What install steps download from elsewhere counts where that can be reached; that they failed is said.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const root = fileURLToPath(new URL('..', import.meta.url));
const { values } = parseArgs({ options: { tarball: { type: 'string' } } });
const tarballs = existsSync(join(root, 'build'))
  ? readdirSync(join(root, 'build')).filter((name) => /^gteway-.*\.tgz$/.test(name))
  : [];
const tarball = values.tarball ?? (tarballs.length > 0 ? join(root, 'build', tarballs.sort().at(-1) ?? '') : undefined);
if (tarball === undefined) {
  console.error('compare-installs: no tarball in build/: npm run prebuilds');
  process.exit(1);
}

const others = [
  'onnxruntime-node@1.30.0',
  '@huggingface/transformers@4.3.2',
  'fastembed@2.1.0',
  'node-llama-cpp@3.22.1',
];
/** @type {readonly [name: string, ...options: string[]][]} */
const installs = [
  [tarball],
  [tarball, '--omit=optional'],
  ...others.map((name) => /** @type {[string]} */ ([name])),
  // All that the registry itself has.
  ...[tarball, ...others].map((name) => /** @type {[string, string]} */ ([name, '--ignore-scripts'])),
];
const megabytes = (/** @type {number} */ bytes) => (bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0);

console.log('| package | seconds | packages | node_modules, MB | exit | of the install steps |');
console.log('| --- | ---: | ---: | ---: | ---: | --- |');
for (const [name, ...options] of installs) {
  const folder = mkdtempSync(join(tmpdir(), 'gteway-install-'));
  try {
    writeFileSync(join(folder, 'package.json'), '{ "name": "app", "private": true }\n');
    const args = [
      'install',
      '--no-audit',
      '--no-fund',
      '--foreground-scripts',
      '--cache',
      join(folder, 'cache'),
      ...options,
    ];
    const started = performance.now();
    const { status, stdout, stderr } = spawnSync('npm', [...args, name], {
      cwd: folder,
      encoding: 'utf8',
      env: { ...process.env, npm_config_userconfig: join(folder, 'none'), CI: '1' },
      timeout: 300_000,
      maxBuffer: 2 ** 28,
    });
    const seconds = (performance.now() - started) / 1000;
    const modules = join(folder, 'node_modules');
    const lock = join(modules, '.package-lock.json');
    const packages = existsSync(lock) ? Object.keys(JSON.parse(readFileSync(lock, 'utf8')).packages).length : 0;
    const trouble = /(ENOTFOUND|ECONNREFUSED|EAI_AGAIN|ETIMEDOUT|fetch failed)[^\n]{0,60}/.exec(stdout + stderr)?.[0];
    const shown = name === tarball ? 'gteway' : name;
    const row = [
      `${shown}${options.length > 0 ? ` ${options.join(' ')}` : ''}`,
      ...[seconds.toFixed(1), packages, megabytes(sizeOf(modules)), status ?? 'timed out'],
      trouble ?? '–',
    ];
    console.log(`| ${row.join(' | ')} |`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Bytes of the files below. @param {string} folder */
function sizeOf(folder) {
  if (!existsSync(folder)) return 0;
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0);
}
