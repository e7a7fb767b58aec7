/** Where the addon gets no memory, the call that needed it rejects, and everything else goes on. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, inject, test } from 'vitest';
import { buildLibrary } from '../built-library.js';
import { runChild } from './child.js';

beforeAll(() => buildLibrary());

// Made by `npm run build:tests` on Linux: the addon, and an operator new that fails when it is told to.
const faultyAddon = fileURLToPath(new URL('../../build/tests/gteway_faulty.node', import.meta.url));

interface Report {
  readonly loading: number;
  readonly count: number;
  readonly tried: number;
  readonly outcomes: Record<string, number>;
  readonly wrong: readonly unknown[];
}

describe.skipIf(process.platform !== 'linux')('an allocation that fails', () => {
  // native/tests/scheduler/out_of_memory_test.cpp tries every one behind the boundary; these are spread over all.
  test.each([
    ['encoder', 300],
    ['ort', 100],
  ])('while a session of %s is loaded, used or closed: ERR_OUT_OF_MEMORY, and no other harm', async (engine, most) => {
    expect(existsSync(faultyAddon), `${faultyAddon} is missing: npm run build:tests`).toBe(true);
    const args = [inject('fixture'), engine, faultyAddon, String(most)];
    const outcome = await runChild('out-of-memory.mjs', args);
    expect(outcome, outcome.output).toMatchObject({ code: 0, signal: null });
    const { count, loading, tried, outcomes, wrong } = JSON.parse(outcome.output) as Report;
    expect(wrong).toEqual([]);
    expect(count).toBeGreaterThan(loading);
    expect(tried).toBeGreaterThanOrEqual(most / 2);
    // A cache, a helper thread or a shared computation is done without; most others are somebody's call.
    expect(outcomes.ERR_OUT_OF_MEMORY).toBeGreaterThan(tried / 4);
  });
});
