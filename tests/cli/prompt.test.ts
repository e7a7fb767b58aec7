/** `--prompt` and `--prompt-text` of the commands that embed. */
import { cpSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, inject, test } from 'vitest';
import { buildLibrary } from '../built-library.js';
import { runCli, temporaryDirectory } from './run-cli.js';

beforeAll(buildLibrary);

function prompted(): string {
  const directory = join(temporaryDirectory(), 'model');
  cpSync(inject('fixture'), directory, { recursive: true });
  const config = { prompts: { query: 'a question: ' } };
  writeFileSync(join(directory, 'config_sentence_transformers.json'), JSON.stringify(config));
  return directory;
}

test('put the prompt before each text', async () => {
  const model = ['--model', prompted(), '--dtype', 'fp32'];
  const whole = await runCli(['embed', 'a question: egg', ...model]);
  expect(whole).toMatchObject({ code: 0, stderr: '' });
  expect((await runCli(['embed', 'egg', '--prompt', 'query', ...model])).stdout).toBe(whole.stdout);
  expect((await runCli(['embed', 'egg', '--prompt-text', 'a question: ', ...model])).stdout).toBe(whole.stdout);
  expect((await runCli(['embed', 'egg', ...model])).stdout).not.toBe(whole.stdout);
  const alike = ['similarity', 'egg', 'train', '--prompt', 'query', ...model];
  const same = ['similarity', 'a question: egg', 'a question: train', ...model];
  expect((await runCli(alike)).stdout).toBe((await runCli(same)).stdout);
});

test('info tells the prompts of a model, and that its default is not used unasked', async () => {
  const directory = prompted();
  const config = { prompts: { query: 'a question: ' }, default_prompt_name: 'query' };
  writeFileSync(join(directory, 'config_sentence_transformers.json'), JSON.stringify(config));
  const { stdout } = await runCli(['info', directory, '--no-load']);
  expect(stdout).toMatch(/^prompt query +'a question: '$/m);
  expect(stdout).toMatch(/^default prompt +query; used only where it is asked for$/m);
  const model = ['--model', directory, '--dtype', 'fp32'];
  const asked = await runCli(['embed', 'egg', '--prompt', 'query', ...model]);
  expect((await runCli(['embed', 'egg', ...model])).stdout).not.toBe(asked.stdout);
});

test('refuse a name that the model does not have, and both at once', async () => {
  const model = ['--model', prompted()];
  expect(await runCli(['embed', 'egg', '--prompt', 'passage', ...model])).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/has no such prompt; it has query\. --prompt-text takes any text/) as string,
  });
  expect((await runCli(['embed', 'egg', '--prompt', 'query', '--prompt-text', 'x', ...model])).code).toBe(2);
});
