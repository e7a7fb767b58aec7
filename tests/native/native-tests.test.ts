/** Runs every test of the native runner as a test of its own: native/tests is built by `npm run build:tests`. */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

const runner = fileURLToPath(new URL('../../build/tests/gteway_tests', import.meta.url));

describe('native', () => {
  test('the native test runner is built', () => {
    expect(existsSync(runner), `${runner} is missing: npm run build:tests`).toBe(true);
  });

  const names = existsSync(runner)
    ? execFileSync(runner, ['--list'], { encoding: 'utf8' }).split('\n').filter(Boolean)
    : [];
  for (const name of names) {
    test(name, (context) => {
      const { status, signal, stdout, stderr } = spawnSync(runner, [name], { encoding: 'utf8' });
      if (status === 77) context.skip(stdout.split('\n', 1)[0]);
      expect({ status, signal, output: status === 0 ? '' : stdout + stderr }).toEqual({
        status: 0,
        signal: null,
        output: '',
      });
    });
  }
});
