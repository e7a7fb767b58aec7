import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test, vi } from 'vitest';
import { acquireLock } from '../../lib/models/lock.js';
import { temporaryDirectory } from './model-directory.js';

const newPath = () => join(temporaryDirectory(), 'locks', 'blob.lock');

describe('a lock', () => {
  test('is held by one at a time, and handed on', async () => {
    const path = newPath();
    let holders = 0;
    const order: number[] = [];
    await Promise.all(
      [1, 2, 3].map(async (number) => {
        const lock = await acquireLock(path);
        expect(++holders).toBe(1);
        await sleep(20);
        order.push(number);
        holders--;
        await lock.release();
      }),
    );
    expect(order.toSorted()).toEqual([1, 2, 3]);
    expect(existsSync(path)).toBe(false);
  });

  test('of a process that no longer runs is taken over at once', async () => {
    const path = newPath();
    await (await acquireLock(path)).release();
    const { pid } = spawnSync(process.execPath, ['-e', '']);
    writeFileSync(path, JSON.stringify({ pid, host: hostname(), id: 'dead' }));
    const lock = await acquireLock(path, { staleAfterMs: 3_600_000 });
    expect(readFileSync(path, 'utf8')).not.toContain('dead');
    await lock.release();
  });

  test.each([
    ['on another machine', JSON.stringify({ pid: 1, host: 'elsewhere', id: 'x' })],
    ['whose process id is in use again', JSON.stringify({ pid: process.pid, host: hostname(), id: 'x' })],
    ['that is empty', ''],
  ])('%s is taken over when its heartbeat stands still', async (_name, content) => {
    const path = newPath();
    await (await acquireLock(path)).release();
    writeFileSync(path, content);
    await (await acquireLock(path, { staleAfterMs: 300 })).release();
    expect(existsSync(path)).toBe(false);
  });

  test('with a heartbeat is waited for, however long', async () => {
    const path = newPath();
    const holder = await acquireLock(path, { heartbeatMs: 20 });
    const acquired = vi.fn();
    const waiting = acquireLock(path, { staleAfterMs: 1500 }).then((lock) => (acquired(), lock));
    await sleep(3500);
    expect(acquired).not.toHaveBeenCalled();
    await holder.release();
    await (await waiting).release();
  });

  test('gives up waiting when the signal fires', async () => {
    const path = newPath();
    const holder = await acquireLock(path);
    const reason = new Error('enough');
    await expect(acquireLock(path, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    await expect(acquireLock(path, { signal: AbortSignal.timeout(50) })).rejects.toMatchObject({ name: 'AbortError' });
    expect(statSync(path).isFile()).toBe(true);
    await holder.release();
  });

  test('that was taken over is not taken from its new holder', async () => {
    const path = newPath();
    const first = await acquireLock(path);
    rmSync(path);
    const second = await acquireLock(path);
    await first.release();
    expect(existsSync(path)).toBe(true);
    await second.release();
    expect(existsSync(path)).toBe(false);
    await second.release();
  });

  test('that cannot be created is ERR_CACHE_WRITE', async () => {
    const file = join(temporaryDirectory(), 'file');
    writeFileSync(file, '');
    await expect(acquireLock(join(file, 'x.lock'))).rejects.toMatchObject({ code: 'ERR_CACHE_WRITE' });
  });
});
