/** Long generations outlive the 300 s after which Node's own fetch gives up. Time is turned forward, not waited for. */
import { afterEach, expect, test, vi } from 'vitest';
import { llmFixture } from './llm-fixture.js';

const llms = llmFixture('mistral', 'application/x-ndjson');
afterEach(() => vi.useRealTimers());

/** Turns the timers of this process forward by `seconds`, a second at a time, as undici's clock counts its own ticks. */
async function turnForward(seconds: number): Promise<void> {
  for (let second = 0; second < seconds; second++) {
    await vi.advanceTimersByTimeAsync(1000);
  }
}

test('an answer whose headers take 10 minutes, and whose body pauses for 10 more', async () => {
  let answer = (): void => undefined;
  let goOn = (): void => undefined;
  const asked = new Promise<void>((resolve) => (answer = resolve));
  const waited = new Promise<void>((resolve) => (goOn = resolve));
  let arrived = (): void => undefined;
  const request = new Promise<void>((resolve) => (arrived = resolve));
  const llm = await llms.speaking(async (turn) => {
    arrived();
    await asked;
    await turn.head(200, { 'content-length': '32' });
    await turn.write('{"response":"he');
    await waited;
    await turn.write('llo","done":true}');
  });
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const run = llm.run('Hi', { timeout: Infinity });
  // The same wait with Node's own limits, as proof that the turned clock would have been noticed.
  const impatient = fetch(llms.server.url, { method: 'POST', body: '{}' }).then(
    (response) => response.status,
    (error: unknown) => (error as { cause?: { code?: string } }).cause?.code,
  );
  await request;
  await turnForward(600);
  expect(await impatient).toBe('UND_ERR_HEADERS_TIMEOUT');
  answer();
  await new Promise((resolve) => setImmediate(resolve));
  await turnForward(600);
  goOn();
  expect((await run).text).toBe('hello');
});
