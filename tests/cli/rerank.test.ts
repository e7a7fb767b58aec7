/** `gteway rerank`. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, inject, test } from 'vitest';
import { Reranker } from '../../lib/index.js';
import { buildLibrary } from '../built-library.js';
import { runCli, temporaryDirectory } from './run-cli.js';

const query = 'how do I cook an egg?';
const texts = ['the egg is cooked in water', 'a train to the sea', 'the egg', '', 'Zürich\tand 東京'];

beforeAll(buildLibrary);

test('writes the lines of a file or of stdin best first, with their scores', async () => {
  await using reranker = await Reranker.load(inject('reranker'), { dtype: 'fp32' });
  const expected = await reranker.rerank(query, texts, { returnTexts: true });
  const lines = expected.map(({ score, text }) => `${score.toFixed(4)}\t${text}\n`).join('');
  const file = join(temporaryDirectory(), 'texts.txt');
  writeFileSync(file, `${texts.join('\n')}\n`);

  const model = ['--model', inject('reranker'), '--dtype', 'fp32'];
  expect(await runCli(['rerank', query, file, ...model])).toMatchObject({ code: 0, stdout: lines });
  expect((await runCli(['rerank', query, '--file', file, ...model])).stdout).toBe(lines);
  expect((await runCli(['rerank', query, ...model], { input: texts.join('\n') + '\n' })).stdout).toBe(lines);

  const best = await runCli(['rerank', query, file, '--top', '2', '--raw', '--format', 'jsonl', ...model]);
  const raw = await reranker.rerank(query, texts, { topK: 2, returnTexts: true, activation: 'none' });
  const parsed = best.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { index: number; score: number; text: string });
  expect(parsed.map(({ index, text }) => ({ index, text }))).toEqual(raw.map(({ index, text }) => ({ index, text })));
  for (const [i, { score }] of parsed.entries()) expect(score).toBeCloseTo(raw[i]?.score ?? NaN, 4);
});

test('says how many texts were cut, or fails for the first', async () => {
  const input = `egg\n${'egg '.repeat(600)}\n`;
  const model = ['--model', inject('reranker')];
  expect((await runCli(['rerank', query, ...model], { input })).stderr).toContain(
    '1 of 2 texts had more than 512 tokens',
  );
  const { code, stderr } = await runCli(['rerank', query, '--no-truncate', ...model], { input });
  expect([code, stderr]).toEqual([1, expect.stringContaining('text 1: with its query') as string]);
});

test('an embedding model is refused, naming what it is for', async () => {
  const { code, stderr } = await runCli(['rerank', query, '--model', inject('fixture')], { input: 'egg\n' });
  expect([code, stderr]).toEqual([1, expect.stringContaining('is no reranker') as string]);
});
