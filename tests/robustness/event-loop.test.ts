/** A promise never computes on the JavaScript thread. */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { expect, inject, test } from 'vitest';
import { Session } from '../../lib/index.js';

test('the event loop keeps turning while 512 passages are embedded', async () => {
  await using session = await Session.load(inject('fixture'));
  const passage = 'A passage of about a hundred tokens that goes on for a while about nothing in particular. '.repeat(
    6,
  );
  const passages = Array.from({ length: 512 }, (_, i) => `${i}: ${passage}`);
  const delay = monitorEventLoopDelay({ resolution: 1 });
  let turns = 0;
  let running = true;
  const turn = (): void => {
    turns++;
    if (running) setImmediate(turn);
  };
  delay.enable();
  turn();
  const begin = performance.now();
  const embeddings = await session.embed(passages);
  const elapsed = performance.now() - begin;
  running = false;
  delay.disable();

  expect(embeddings.rows).toBe(512);
  // What is asserted is a ratio, not a time: the longest stall is a small part of the work, which would be all of it if
  // the work were done on this thread, and the loop turned many times.
  expect(delay.max / 1e6).toBeLessThan(elapsed / 4);
  expect(turns).toBeGreaterThan(100);
});
