/** The competitors' packages, installed into bench/ on the first run and whenever the lock file changes. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));

export function installDependencies() {
  const lock = readFileSync(join(here, 'package-lock.json'), 'utf8');
  // The lock file that the installed packages came from: times of files say nothing after a checkout.
  const stamp = join(here, 'node_modules', '.installed-lock.json');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === lock) return;
  console.error('installing what gteway is compared with (npm ci in bench/, about 500 MB) …');
  // Without install scripts: onnxruntime-node's fetches GPU libraries from another host, and nothing here needs it.
  const { status, error } = spawnSync(
    'npm',
    ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'],
    {
      cwd: here,
      stdio: ['ignore', 'ignore', 'inherit'],
      shell: process.platform === 'win32',
    },
  );
  if (error) throw error;
  if (status !== 0) throw new Error(`npm ci in ${here} failed with status ${status}`);
  writeFileSync(stamp, lock);
}
