/** The scores of rerankers of each family: those of the same models in float64, made with Hugging Face's transformers. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Reranker } from '../../lib/index.js';
import { root } from '../built-library.js';

const families = join(root, '..', 'shared', 'models', 'families');

interface Expected {
  readonly query: string;
  readonly text: string;
  readonly ids: readonly number[];
  readonly score: number;
}

const engines = {
  'bert-reranker': ['ort', 'encoder', 'auto'],
  'xlm-roberta-reranker': ['ort', 'encoder', 'auto'],
  'modernbert-reranker': ['ort', 'encoder', 'auto'],
} as const;

for (const [name, those] of Object.entries(engines)) {
  const directory = join(families, name);
  for (const engine of those) {
    test.skipIf(!existsSync(directory))(`${name} by engine '${engine}': scores within 1e-5`, async () => {
      const lines = readFileSync(join(directory, 'expected.jsonl'), 'utf8').trim().split('\n');
      const expected = lines.map((line) => JSON.parse(line) as Expected);
      await using reranker = await Reranker.load(directory, { engine, dtype: 'fp32', threads: 2 });
      if (engine !== 'auto') expect(reranker.info.engine).toBe(engine);
      const scores = await reranker.score(
        expected.map(({ query, text }) => [query, text] as const),
        { activation: 'none' },
      );
      const worst = Math.max(...expected.map(({ score }, i) => Math.abs(score - (scores[i] ?? NaN))));
      expect(worst).toBeLessThan(1e-5);
    });
  }
}
