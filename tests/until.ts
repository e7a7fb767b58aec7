/** Waits for what must come sooner or later, on a machine that is as busy as it likes: the limit is the test's own. */
import { vi } from 'vitest';

/** Resolves with what `check` gives, once it no longer throws. `limit` in seconds. */
export function until<T>(check: () => T | Promise<T>, { limit = 280 } = {}): Promise<T> {
  return vi.waitFor(check, { timeout: limit * 1000, interval: 5 });
}
