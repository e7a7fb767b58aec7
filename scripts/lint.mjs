#!/usr/bin/env node
// ESLint, the compiler's types and the formatting, at the same time: none of them uses more than one processor.
import { spawn } from 'node:child_process';

const checks = [
  ['eslint', '.'],
  ['tsc', '-p', 'tsconfig.json'],
  ['node', 'scripts/format.mjs', '--check'],
];

/** Resolves with whether it succeeded; prints what it said when it ends, so that no two are mixed. */
function run([command, ...args]) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { shell: process.platform === 'win32' });
    const output = [];
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => output.push(data));
    child.on('error', reject);
    child.on('close', (code) => {
      process.stdout.write(Buffer.concat(output));
      if (code !== 0) console.error(`failed: ${[command, ...args].join(' ')}`);
      resolve(code === 0);
    });
  });
}

const passed = await Promise.all(checks.map(run));
process.exitCode = passed.every(Boolean) ? 0 : 1;
