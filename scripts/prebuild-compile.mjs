#!/usr/bin/env node
// What prebuildify runs where it would run node-gyp: CMake, through cmake-js. It then takes build/Release/gteway.node.
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const cmakeJs = createRequire(import.meta.url).resolve('cmake-js/bin/cmake-js');
const { status } = spawnSync(process.execPath, [cmakeJs, 'compile', '-d', 'native', '-O', 'build'], {
  cwd: root,
  stdio: 'inherit',
});
process.exit(status ?? 1);
