/** The process ends as its program says, whatever the addon is doing. */
import { describe, expect, inject, test } from 'vitest';
import { runChild } from './child.js';

const model = inject('gte') ?? inject('fixture');

describe('the process', () => {
  test.each([
    ['exit-busy', 7],
    ['exit-at-once', 7],
    ['while-loading', 7],
    ['throw-busy', 1],
  ])('%s: ends with its own status, not a crash', async (how, code) => {
    const outcome = await runChild('exit.mjs', [model, how]);
    expect(outcome, outcome.output).toMatchObject({ code, signal: null });
  });

  test('an idle session that was never closed does not hold the process', async () => {
    expect(await runChild('exit.mjs', [model, 'idle-open'])).toMatchObject({ code: 0, output: 'last line' });
  });

  test('work in flight holds the process until it is done', async () => {
    expect(await runChild('exit.mjs', [model, 'pending-keeps-alive'])).toMatchObject({ code: 0, output: 'finished' });
  });

  test('a session nobody holds is collected, threads and all', async () => {
    expect(await runChild('exit.mjs', [inject('fixture'), 'dropped'])).toMatchObject({ code: 0, output: 'collected' });
  });
});
