import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { isoTime, LogLines } from '../../lib/server/log-lines.js';

beforeEach(() => vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setImmediate', 'clearImmediate'] }));
afterEach(() => vi.useRealTimers());

function linesWritten(): { lines: LogLines; written: string[] } {
  const written: string[] = [];
  return { lines: new LogLines((text) => written.push(text)), written };
}

test('a line that comes after a pause is written in the same turn, those that follow it together', () => {
  const { lines, written } = linesWritten();
  lines.write('1\n');
  lines.write('2\n');
  expect(written).toEqual([]);
  vi.advanceTimersByTime(0);
  expect(written).toEqual(['1\n2\n']);
  lines.write('3\n');
  vi.advanceTimersByTime(50);
  lines.write('4\n');
  expect(written).toEqual(['1\n2\n']);
  vi.advanceTimersByTime(50);
  expect(written).toEqual(['1\n2\n', '3\n4\n']);
  vi.advanceTimersByTime(1000);
  lines.write('5\n');
  vi.advanceTimersByTime(0);
  expect(written).toEqual(['1\n2\n', '3\n4\n', '5\n']);
});

test('flush() writes what waits, once and in order, and lines go on afterwards', () => {
  const { lines, written } = linesWritten();
  lines.flush();
  lines.write('1\n');
  lines.flush();
  lines.flush();
  lines.write('2\n');
  vi.advanceTimersByTime(1000);
  expect(written).toEqual(['1\n', '2\n']);
  expect(vi.getTimerCount()).toBe(0);
});

test('a flood is not gathered without bound', () => {
  const { lines, written } = linesWritten();
  const line = `${'x'.repeat(999)}\n`;
  for (let i = 0; i < 1000; i++) lines.write(line);
  expect(written.length).toBeGreaterThan(10);
  vi.advanceTimersByTime(1000);
  expect(written.join('')).toBe(line.repeat(1000));
});

test('times are those of Date.toISOString', () => {
  const times = [0, 1, 999, 1000, 1_700_000_000_000, 1_700_000_000_001, 1_700_000_000_099, 1_700_000_000_999];
  for (const time of [...times, ...times.toReversed(), 951_782_399_999, 253_402_300_799_999]) {
    expect(isoTime(time)).toBe(new Date(time).toISOString());
  }
});
