/** Builds programs of native/bench, which measure what JavaScript cannot. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));

/**
 * Builds a target of native/CMakeLists.txt and gives the path of the program; throws where that fails.
 *
 * @param {string} target
 */
export function buildNative(target) {
  const { status, stdout, stderr, error } = spawnSync(
    process.execPath,
    [join(root, 'node_modules/cmake-js/bin/cmake-js'), ...['compile', '-d', 'native', '-O', 'build', '-T', target]],
    { cwd: root, encoding: 'utf8' },
  );
  if (error) throw error;
  if (status !== 0) throw new Error(`${target} could not be built:\n${`${stdout}\n${stderr}`.trim().slice(-2000)}`);
  return join(root, 'build/tests', target);
}
