/** worker_threads: each has its own sessions, and ending one, busy or not, leaves the others and the process alone. */
import { describe, expect, inject, test } from 'vitest';
import { runChild } from './child.js';

const model = inject('gte') ?? inject('fixture');

describe('worker_threads', () => {
  test.each([
    ['close', [0, 0]],
    ['leave-open', [0, 0]],
    ['terminate-busy', [1, 1]],
    ['exit-busy', [3, 3]],
  ])('%s: every worker gives the same vectors, and the main thread goes on', async (how, codes) => {
    const outcome = await runChild('worker.mjs', [model, how]);
    expect(outcome, outcome.output).toMatchObject({ code: 0, signal: null });
    expect(JSON.parse(outcome.output)).toEqual({ same: true, codes });
  });
});
