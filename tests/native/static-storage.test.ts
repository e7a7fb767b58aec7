/**
 * Nothing of ours is destroyed when the process ends: process.exit() runs the destructors of static objects while
 * workers of other threads still use them (a map that died that way ended 3 of 300 exits with SIGSEGV). Whatever has
 * such a destructor, function-local statics included, registers it with __cxa_atexit; so no object file may ask for it.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Of the libraries, the kernels and the addon. */
function objectFiles(): string[] {
  const folder = join(root, 'build', 'CMakeFiles');
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => /^gteway(_core|_readers|_compute|_kernels_\w+)?\.dir$/.test(name))
    .flatMap((name) =>
      readdirSync(join(folder, name), { recursive: true, encoding: 'utf8' })
        .filter((file) => file.endsWith('.o'))
        .map((file) => join(folder, name, file)),
    );
}

test('no object of static storage has a destructor', (context) => {
  const objects = objectFiles();
  expect(objects.length, 'no object files: npm run build:native').toBeGreaterThan(50);
  const nm = spawnSync('nm', ['--undefined-only', '--print-file-name', ...objects], {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  if ((nm.error as NodeJS.ErrnoException | undefined)?.code === 'ENOENT') context.skip('nm (binutils) is not here');
  expect(nm.status, nm.stderr).toBe(0);
  const undefinedSymbols = nm.stdout.split('\n');
  // What every thrown Error needs: the list is one of symbols.
  expect(undefinedSymbols.some((line) => / U _*cxa_throw$/.test(line))).toBe(true);
  const wrong = undefinedSymbols.filter((line) => / U _*cxa_atexit$/.test(line)).map((line) => relative(root, line));
  expect(wrong).toEqual([]);
});
