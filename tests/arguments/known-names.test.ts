import { describe, expect, test } from 'vitest';
import { rejectUnknownKeys } from '../../lib/arguments/known-names.js';

const known = ['mode', 'stream', 'timeout', 'signal', 'mean_pool', 'maxBatchTokens', 'keep_alive'];
const message = (given: object): string => {
  try {
    rejectUnknownKeys(given, known, 'session.run()');
  } catch (error) {
    expect(error).toBeInstanceOf(TypeError);
    return (error as Error).message;
  }
  return '';
};

describe('rejectUnknownKeys', () => {
  test('accepts known names, whatever their values, and no options at all', () => {
    expect(message({})).toBe('');
    expect(message({ mode: undefined, stream: 1 })).toBe('');
  });

  test.each([
    ['strem', 'stream'],
    ['tiemout', 'timeout'],
    ['singal', 'signal'],
    ['meanPool', 'mean_pool'],
    ['max_batch_tokens', 'maxBatchTokens'],
    ['keepalive', 'keep_alive'],
    ['Mode', 'mode'],
  ])('%s: did you mean %s?', (given, meant) => {
    expect(message({ [given]: 1 })).toBe(`session.run(): unknown option '${given}'; did you mean '${meant}'?`);
  });

  test('lists what there is where nothing is near', () => {
    expect(message({ temperature: 0 })).toBe(
      `session.run(): unknown option 'temperature'; the options are ${known.join(', ')}`,
    );
  });

  test('does not take inherited properties for options', () => {
    expect(message(Object.create({ nonsense: 1 }) as object)).toBe('');
  });
});
