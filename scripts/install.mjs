#!/usr/bin/env node
// What `npm install` runs: use a prebuilt addon where one fits this machine, otherwise compile it with CMake.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const require = createRequire(import.meta.url);
const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const isCheckout = existsSync(join(root, '.git'));

if (!isCheckout && process.env.npm_config_build_from_source === undefined) {
  try {
    // The library's own search, so that what is found here is what is used later.
    const { binding } = await import('../dist/native/binding.js');
    binding();
    process.exit(0);
  } catch (error) {
    console.log(`gteway: no prebuilt addon can be used here: ${firstLine(error)}`);
    console.log('gteway: compiling it (needs a C++20 compiler and CMake ≥ 3.22)');
  }
}

const cmakeJs = require.resolve('cmake-js/bin/cmake-js');
// A user's compiler may be newer than ours and know warnings that ours does not; that must not fail their install.
const options = isCheckout ? [] : ['--CDGTEWAY_WERROR=OFF'];
const { status, error } = spawnSync(process.execPath, [cmakeJs, 'compile', '-d', 'native', '-O', 'build', ...options], {
  cwd: root,
  stdio: 'inherit',
});
if (error) console.error(`gteway: could not start cmake-js: ${error.message}`);
if (status !== 0) {
  console.error(
    'gteway: compiling the addon failed (the compiler’s words are above). It needs CMake ≥ 3.22 and a C++20 compiler:\n' +
      '  Debian/Ubuntu: apt install cmake g++     macOS: xcode-select --install && brew install cmake',
  );
  process.exit(1);
}

function firstLine(error) {
  const { cause } = error;
  return String((cause ?? error).message).split('\n')[0];
}
