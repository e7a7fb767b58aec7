/** The library as users get it, in dist/: what other runtimes and the examples import. Built where it is out of date. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, rmdirSync, statSync, utimesSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('..', import.meta.url));
const stamp = join(root, 'dist', 'index.js');

export async function buildLibrary(): Promise<void> {
  await oneAtATime(join(root, 'dist.lock'), () => {
    if (isCurrent()) return;
    const compiler = createRequire(import.meta.url).resolve('typescript/bin/tsc');
    execFileSync(process.execPath, [compiler, '-p', 'tsconfig.build.json'], { cwd: root, stdio: 'inherit' });
    // The compiler leaves files alone that would not change.
    utimesSync(stamp, new Date(), new Date());
  });
}

/** Why the addon cannot be loaded here, if it cannot: for tests to skip with. */
export function addonIsMissing(): string | undefined {
  if (existsSync(join(root, 'build', 'Release', 'gteway.node'))) return undefined;
  return 'the addon is not built: npm run build:native';
}

function isCurrent(): boolean {
  if (!existsSync(stamp)) return false;
  const built = statSync(stamp).mtimeMs;
  return readdirSync(join(root, 'lib'), { recursive: true, encoding: 'utf8' }).every(
    (file) => statSync(join(root, 'lib', file)).mtimeMs <= built,
  );
}

/** Test files run in processes of their own; making a directory is what only one of them can do. */
export async function oneAtATime(lock: string, work: () => void | Promise<void>): Promise<void> {
  const until = performance.now() + 300_000;
  for (;;) {
    try {
      mkdirSync(lock);
      break;
    } catch (error) {
      const abandoned = existsSync(lock) && Date.now() - statSync(lock).mtimeMs > 240_000;
      if (performance.now() > until) throw error;
      if (abandoned) rmdirSync(lock);
      await sleep(200);
    }
  }
  try {
    await work();
  } finally {
    rmdirSync(lock);
  }
}
