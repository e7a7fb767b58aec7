/** `gteway search`. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, inject, test } from 'vitest';
import { buildLibrary } from '../built-library.js';
import { runCli, temporaryDirectory } from './run-cli.js';

const texts = ['a small dog', 'the stock market', '', 'a little puppy'];

beforeAll(buildLibrary);

test('finds the texts of an .npy and of a .jsonl file that embed wrote, and refuses what does not fit', async () => {
  const model = ['--model', inject('fixture')];
  const directory = temporaryDirectory();
  const at = (name: string): string => join(directory, name);
  const [plain, npy, jsonl, short] = [at('texts.txt'), at('v.npy'), at('v.jsonl'), at('short.npy')];
  writeFileSync(plain, `${texts.join('\n')}\n`);
  for (const file of [npy, jsonl])
    expect((await runCli(['embed', '--file', plain, '--output', file, ...model])).code).toBe(0);

  const found = await runCli(['search', 'the stock market', npy, '--texts', plain, '-k', '1', ...model]);
  expect(found).toMatchObject({ code: 0, stdout: '1.0000\t1\tthe stock market\n' });
  const all = await runCli(['search', 'the stock market', jsonl, '--json', ...model]);
  const hits = all.stdout.trim().split('\n');
  expect(hits.map((line) => (JSON.parse(line) as { index: number }).index).sort()).toEqual([0, 1, 2, 3]);
  expect((await runCli(['search', 'the stock market', npy, '--json', ...model])).stdout.split('\n')[0]).toContain(
    '"index":1,',
  );

  const other = await runCli(['search', 'dog', npy, '--dimensions', '8', ...model]);
  expect([other.code, other.stderr]).toEqual([1, expect.stringMatching(/vectors of 96 values, .* gives 8/) as string]);
  writeFileSync(at('few.txt'), 'one\n');
  const few = await runCli(['search', 'dog', npy, '--texts', at('few.txt'), ...model]);
  expect([few.code, few.stderr]).toEqual([1, expect.stringContaining('4 vectors') as string]);
  writeFileSync(short, readFileSync(npy).subarray(0, 500));
  expect((await runCli(['search', 'dog', short, ...model])).stderr).toContain('not as long as its head says');
  expect((await runCli(['search', 'dog', plain, ...model])).code).toBe(2);
});
