#!/usr/bin/env node
// Formats TypeScript with prettier and C++ with clang-format. --check: change nothing, fail where something would change.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

const check = process.argv.includes('--check');

function run(command, args) {
  const { status, error } = spawnSync(command, args, { stdio: 'inherit', shell: process.platform === 'win32' });
  if (error) throw error;
  return status === 0;
}

const sources = ['native/src', 'native/tests', 'native/bench', 'native/fuzz']
  .filter((folder) => existsSync(folder))
  .flatMap((folder) =>
    readdirSync(folder, { recursive: true })
      .filter((file) => /\.(hpp|cpp|cu|cuh)$/.test(file))
      .map((file) => join(folder, file)),
  );
const formatted = [
  run('npx', ['--no-install', 'prettier', check ? '--check' : '--write', '--log-level', 'warn', '.']),
  run('npx', ['--no-install', 'clang-format', ...(check ? ['--dry-run', '--Werror'] : ['-i']), ...sources]),
];
process.exit(formatted.every(Boolean) ? 0 : 1);
