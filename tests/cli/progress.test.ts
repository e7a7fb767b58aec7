/** What a person sees of a long command: on a terminal a bar with rate and time left, elsewhere nothing. */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { buildLibrary } from '../built-library.js';
import { cli, cliEnvironment, main, temporaryDirectory } from './run-cli.js';

beforeAll(() => buildLibrary());

function lines(count: number): string {
  return Array.from({ length: count }, (_, i) => `line ${i} ${'word '.repeat(20)}`).join('\n');
}

test('embed on a terminal: a bar that knows how much of the file is done, its rate and the time left', (context) => {
  const directory = temporaryDirectory();
  const input = join(directory, 'texts.txt');
  writeFileSync(input, lines(8000));
  const command = `'${process.execPath}' '${main}' embed --model fixture --file '${input}' -o '${directory}/vectors.npy'`;
  // util-linux's script gives a command a terminal; there all output comes out in one stream.
  const { error, status, stdout } = spawnSync('script', ['-qec', command, '/dev/null'], {
    env: cliEnvironment({ TERM: 'xterm', COLUMNS: '160' }),
    encoding: 'utf8',
  });
  if (error !== undefined) context.skip('needs the command script, which gives a program a terminal');
  expect(status, stdout).toBe(0);
  const seen = [...stdout.matchAll(/embedding \[.{24}\] (\d+)% ([\d,]+) texts, ([\d,]+)\/s, (\S+) left/g)];
  expect(seen.length, stdout).toBeGreaterThan(1);
  const percentages = seen.map(([, percentage]) => Number(percentage));
  expect(percentages).toEqual(percentages.toSorted((a, b) => a - b));
  expect(percentages.at(-1)).toBe(100);
});

test('embed into a pipe: nothing but the note about the model', async () => {
  const { stderr } = await cli(['embed', '--model', 'fixture'], { input: lines(3000) });
  expect(stderr).toMatch(/^gteway: the fixture model: [^\n]*\n$/);
});
