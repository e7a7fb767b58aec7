import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { errorCodes, GtewayError, isGtewayError } from '../lib/index.js';

describe('errors', () => {
  test('every code of the native core is a code of the library', () => {
    const source = readFileSync(new URL('../native/src/base/error.cpp', import.meta.url), 'utf8');
    const native = new Set([...source.matchAll(/"(ERR_\w+)"/g)].map((match) => match[1]));
    expect(native.size).toBeGreaterThan(10);
    for (const code of native) expect(errorCodes).toContain(code);
  });

  test('isGtewayError recognises errors of another copy of the package, and not look-alikes', () => {
    const error = new GtewayError('ERR_CLOSED', 'closed');
    const stranger = Object.assign(new Error('x'), { code: 'ERR_CLOSED' });
    const twin = Object.defineProperty(
      Object.assign(new Error('x'), { code: 'ERR_CLOSED' }),
      Symbol.for('gteway.error'),
      {
        value: true,
      },
    );
    expect(isGtewayError(error)).toBe(true);
    expect(isGtewayError(error, 'ERR_CLOSED')).toBe(true);
    expect(isGtewayError(error, 'ERR_ABORTED')).toBe(false);
    expect(isGtewayError(twin)).toBe(true);
    expect(isGtewayError(stranger)).toBe(false);
    expect(isGtewayError(null)).toBe(false);
  });

  test('cancellation carries the names that fetch gives it', () => {
    expect(new GtewayError('ERR_ABORTED', '').name).toBe('AbortError');
    expect(new GtewayError('ERR_TIMEOUT', '').name).toBe('TimeoutError');
    expect(new GtewayError('ERR_CLOSED', '').name).toBe('GtewayError');
  });
});
