/** What a worker decides without a database: which jobs need embedding, what becomes of failures, how much to claim. */
import { expect, test } from 'vitest';
import { GtewayError } from '../../lib/index.js';
import { BatchSize, mostAttempts, outcomeOfError, retryDelay, sortJobs } from '../../lib/sync/decisions.js';

test('rows that are gone or current need nothing, empty texts no embedding, and given up ones fail with their text', () => {
  const row = (text: string, isCurrent = false): { text: string; hash: string; isCurrent: boolean } => ({
    text,
    hash: `hash of ${text}`,
    isCurrent,
  });
  const jobs = ['gone', 'current', 'empty', 'worn', 'last', 'new'].map((id) => ({
    id,
    attempts: id === 'worn' ? mostAttempts + 1 : id === 'last' ? mostAttempts : 1,
  }));
  const { embed, outcomes } = sortJobs(jobs, [
    { id: 'gone', row: undefined },
    { id: 'current', row: row('a', true) },
    { id: 'empty', row: row('') },
    { id: 'worn', row: row('b') },
    { id: 'last', row: row('c') },
    { id: 'new', row: row('d') },
  ]);
  expect(embed).toEqual([
    { id: 'last', text: 'c', hash: 'hash of c' },
    { id: 'new', text: 'd', hash: 'hash of d' },
  ]);
  expect(outcomes).toEqual([
    { kind: 'settled', id: 'gone' },
    { kind: 'settled', id: 'current' },
    { kind: 'write', id: 'empty', hash: 'hash of ', made: undefined },
    {
      kind: 'fail',
      id: 'worn',
      hash: 'hash of b',
      reason: expect.stringContaining(`${mostAttempts} workers`) as string,
    },
  ]);
});

test('a text’s own fault fails at once: too long, or no finite numbers; anything else after the last attempt', () => {
  for (const code of ['ERR_TEXT_TOO_LONG', 'ERR_INFERENCE_FAILED'] as const) {
    const outcome = outcomeOfError({ id: '1', attempts: 1 }, 'h', new GtewayError(code, 'why'));
    expect(outcome).toEqual({ kind: 'fail', id: '1', hash: 'h', reason: 'why' });
  }
  for (let attempts = 1; attempts <= mostAttempts; attempts++) {
    const outcome = outcomeOfError({ id: '1', attempts }, 'h', new GtewayError('ERR_OUT_OF_MEMORY', 'why'));
    expect(outcome).toEqual(
      attempts < mostAttempts
        ? { kind: 'release', id: '1', delay: 2 ** attempts, undo: false, reason: 'why' }
        : { kind: 'fail', id: '1', hash: 'h', reason: 'why' },
    );
  }
  expect(retryDelay(30)).toBe(300);
});

test('a batch follows the tokens that texts have had, the last ones most, between bounds', () => {
  const size = new BatchSize(1000);
  expect(size.limits()).toEqual({ rows: 63, bytes: 4000 });
  for (let i = 0; i < 20; i++) size.saw(10, 10_000, 2000);
  expect(size.limits()).toEqual({ rows: 5, bytes: 5000 });
  for (let i = 0; i < 30; i++) size.saw(100, 1000, 200);
  const { rows, bytes } = size.limits();
  expect(rows).toBeGreaterThan(480);
  expect(bytes).toBeLessThan(5100);
  const huge = new BatchSize(1e9);
  huge.saw(1, 1, 1);
  expect(huge.limits()).toEqual({ rows: 1000, bytes: 16 * 2 ** 20 });
  const tiny = new BatchSize(1);
  tiny.saw(1, 100_000, 20_000);
  expect(tiny.limits()).toMatchObject({ rows: 1 });
});
