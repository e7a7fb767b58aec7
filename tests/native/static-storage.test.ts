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

/**
 * What is made at its first use, and stays: a reference to what is never destroyed, or values that need no destruction.
 * A thread's own dies with its thread, which alone uses it.
 */
const madeAtFirstUse: Record<string, 'never destroyed' | 'plain values' | "a thread's own"> = {
  'registry()::the_only_one': 'never destroyed',
  'attention_of()::everywhere': 'never destroyed',
  'listeners()::the_only_ones': 'never destroyed',
  'brand()::name': 'never destroyed',
  'encoder_kernels()::chosen': 'never destroyed',
  'openings()::all': 'never destroyed',
  'open_library()::mutex': 'never destroyed',
  'features()::detected': 'plain values',
  'request_amx()::granted': 'plain values',
  'choice()::chosen': 'plain values',
  'implementations()::all': 'plain values',
  'implementations()::has': 'plain values',
  'open_session()::registered': 'plain values',
  'encode()::of_query': "a thread's own",
  'infer()::ids': "a thread's own",
  'infer()::types': "a thread's own",
  'infer()::offsets': "a thread's own",
  'run_batch()::rows': "a thread's own",
  'find()::name': "a thread's own",
  'of_this_thread()::memo': "a thread's own",
  'pool()::widened': "a thread's own",
  'run()::padded': "a thread's own",
};

test('what is made at its first use is known, and why it may stay', (context) => {
  const nm = spawnSync('nm', ['--defined-only', '--demangle', ...objectFiles()], {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  if ((nm.error as NodeJS.ErrnoException | undefined)?.code === 'ENOENT') context.skip('nm (binutils) is not here');
  expect(nm.status, nm.stderr).toBe(0);
  const guarded = nm.stdout.split('\n').flatMap((line) => /guard variable for (.*)/.exec(line)?.[1] ?? []);
  expect(guarded.length).toBeGreaterThan(10);
  const isKnown = (guard: string): boolean =>
    Object.keys(madeAtFirstUse).some((name) => {
      const [called = '', variable = ''] = name.split('()::');
      return new RegExp(`\\b${called}(\\[abi:cxx11\\])?\\(`).test(guard) && guard.endsWith(`::${variable}`);
    });
  expect(guarded.filter((guard) => !isKnown(guard))).toEqual([]);
});
