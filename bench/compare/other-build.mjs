/** Another commit of the library, built once into bench/.cache, which git ignores. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const builds = join(dirname(fileURLToPath(import.meta.url)), '..', '.cache', 'builds');

/** @typedef {{ root: string, name: string }} Build */

/**
 * The build of a commit: made where it is not there yet, with the packages that are installed here.
 *
 * @param {string} commit whatever git takes for one
 * @param {(text: string) => void} note progress
 * @returns {Build}
 * @throws Error where there is no such commit, or it cannot be built
 */
export function buildOf(commit, note) {
  const sha = run('git', ['rev-parse', '--verify', '--quiet', '--end-of-options', `${commit}^{commit}`], root, {
    otherwise: `--compare ${commit}: git knows no such commit`,
  }).trim();
  const about = run('git', ['log', '-1', '--format=%h %s', sha], root).trim();
  const directory = join(builds, sha);
  if (existsSync(directory)) return { root: directory, name: about };

  note(`building ${about} (once, a minute or two) …`);
  mkdirSync(builds, { recursive: true });
  // Under another name until it is complete, so that an interrupted build is never taken for one.
  const draft = mkdtempSync(join(builds, `${sha}.draft-`));
  try {
    const archive = join(draft, 'source.tar');
    run('git', ['archive', '--output', archive, sha], root);
    run('tar', ['-xf', archive], draft);
    rmSync(archive);
    symlinkSync(join(root, 'node_modules'), join(draft, 'node_modules'), 'dir');
    const tool = (/** @type {string} */ path) => join(draft, 'node_modules', path);
    run(process.execPath, [tool('cmake-js/bin/cmake-js'), 'compile', '-d', 'native', '-O', 'build'], draft);
    run(process.execPath, [tool('typescript/bin/tsc'), '-p', 'tsconfig.build.json'], draft);
    renameSync(draft, directory);
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
  return { root: directory, name: about };
}

/**
 * This checkout as it was last built, changes that are not committed included.
 *
 * @returns {Build}
 */
export function ownBuild() {
  const changed =
    run('git', ['status', '--porcelain', '--', 'lib', 'native/src', 'native/CMakeLists.txt'], root) !== '';
  const about = run('git', ['log', '-1', '--format=%h %s'], root).trim();
  return { root, name: changed ? `${about} (and what is not committed)` : about };
}

/**
 * @param {string} program
 * @param {string[]} parameters
 * @param {string} cwd
 * @param {{ otherwise?: string }} [options] what to say where it fails, instead of its output
 */
function run(program, parameters, cwd, { otherwise } = {}) {
  const { status, stdout, stderr, error } = spawnSync(program, parameters, {
    cwd,
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
  });
  if (error) throw error;
  if (status !== 0) {
    const said = `${stdout}\n${stderr}`.trim().slice(-3000);
    throw new Error(otherwise ?? `${program} ${parameters.join(' ')} failed in ${cwd}:\n${said}`);
  }
  return stdout;
}
