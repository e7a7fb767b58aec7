/** The process and worker threads end as they are told at any moment of a load. */
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, inject, test } from 'vitest';
import { buildLibrary } from '../built-library.js';
import { runChild } from './child.js';

beforeAll(() => buildLibrary());

const script = fileURLToPath(new URL('../../scripts/exit-storm.mjs', import.meta.url));
const storm = async (...args: string[]) => {
  const outcome = await runChild(script, ['--model', inject('fixture'), ...args]);
  expect(outcome, outcome.output).toMatchObject({ code: 0, signal: null });
  return outcome.output;
};

describe('at a hundred random moments of a load, with one session and with eight, of either engine', () => {
  test('process.exit() ends the process with its status', async () => {
    expect(await storm('--exits', '100', '--terminates', '0')).toMatch(
      /^100 exits and 0 terminates .* 0 ended by a signal/,
    );
  });

  test('worker.terminate() ends the worker and nothing else', async () => {
    expect(await storm('--exits', '0', '--terminates', '100')).toMatch(/^0 exits and 100 terminates .* 0 ended by a/);
  });

  // No listener is called and no cleanup hook: only the static objects that threads use must not die before them.
  test('an end without the event "exit" finds nothing of the encoder that dies', async () => {
    const only = ['--how', 'reallyExit', '--engine', 'encoder'];
    expect(await storm('--exits', '40', '--terminates', '0', ...only)).toMatch(/^40 exits .* 0 ended by a signal/);
  });
});
