import { expect, test } from 'vitest';
import { onAbort } from '../../lib/cancellation/abort-listeners.js';

test('every callback is called once, also one that is given twice, unless it was taken back', () => {
  const abort = new AbortController();
  const called: string[] = [];
  const a = (): void => void called.push('a');
  onAbort(abort.signal, a);
  onAbort(abort.signal, a);
  const takeBack = onAbort(abort.signal, () => called.push('b'));
  takeBack();
  takeBack();
  abort.abort();
  abort.abort();
  expect(called).toEqual(['a', 'a']);
});

test('a thousand calls are one listener, and none when they are over', () => {
  const { signal } = new AbortController();
  let listeners = 0;
  const add = signal.addEventListener.bind(signal);
  const remove = signal.removeEventListener.bind(signal);
  signal.addEventListener = (...args: Parameters<typeof add>) => {
    listeners++;
    add(...args);
  };
  signal.removeEventListener = (...args: Parameters<typeof remove>) => {
    listeners--;
    remove(...args);
  };
  for (let round = 0; round < 2; round++) {
    const takeBacks = Array.from({ length: 1000 }, () => onAbort(signal, () => undefined));
    expect(listeners).toBe(1);
    for (const takeBack of takeBacks) takeBack();
    expect(listeners).toBe(0);
  }
});

test('a callback that takes another one back spares it', () => {
  const abort = new AbortController();
  const called: string[] = [];
  let takeBack = (): void => undefined;
  onAbort(abort.signal, () => {
    called.push('first');
    takeBack();
  });
  takeBack = onAbort(abort.signal, () => called.push('second'));
  abort.abort();
  expect(called).toEqual(['first']);
});
