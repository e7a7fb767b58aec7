/** A promise never computes on the JavaScript thread, and never holds it up. */
import { readFileSync } from 'node:fs';
import { expect, inject, test } from 'vitest';
import { Session } from '../../lib/index.js';

/** Nanoseconds that the process's first thread, which runs this, has had a processor. Linux only. */
function ownTime(): bigint {
  const [ran = ''] = readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'utf8').split(' ');
  return BigInt(ran);
}

const passage = 'A passage of about a hundred tokens that goes on for a while about nothing in particular. '.repeat(6);
/** Several slices, of which three are under way at a time. */
const passages = Array.from({ length: 2048 }, (_, i) => `${i}: ${passage}`);

test('the JavaScript thread has a small part in embedding 2,048 passages', async (context) => {
  if (process.platform !== 'linux') return context.skip('only Linux tells how long a thread ran');
  await using session = await Session.load(inject('fixture'));
  await session.embed(passages.slice(0, 10));
  const [own, all] = [ownTime(), process.cpuUsage()];
  const embeddings = await session.embed(passages);
  const ownMicroseconds = Number(ownTime() - own) / 1000;
  const { user, system } = process.cpuUsage(all);
  expect(embeddings.rows).toBe(2048);
  // Time on a processor, not on the clock: it is the same on a busy machine.
  expect(ownMicroseconds).toBeLessThan((user + system) / 4);
});

test('the event loop turns while they are embedded', async () => {
  await using session = await Session.load(inject('fixture'));
  let turns = 0;
  let running = true;
  const turn = (): void => {
    turns++;
    if (running) setImmediate(turn);
  };
  turn();
  await session.embed(passages);
  running = false;
  // Once before the first slices are there, and once before the slices that follow on them are.
  expect(turns).toBeGreaterThanOrEqual(2);
});
