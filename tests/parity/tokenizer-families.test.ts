/** The tiny models of other families beside the repository: the ids that Hugging Face tokenizers gave for their texts. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { Tokenizer } from '../../lib/index.js';

const families = fileURLToPath(new URL('../../../shared/models/families', import.meta.url));

interface Expected {
  readonly text: string;
  readonly query?: string;
  readonly ids: number[];
  readonly type_ids?: number[];
}

function expectedOf(family: string): Expected[] {
  return readFileSync(join(families, family, 'expected.jsonl'), 'utf8')
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Expected);
}

describe.skipIf(!existsSync(families))('ids of Hugging Face tokenizers, cut at the model’s limit', () => {
  test.each(['mpnet', 'distilbert', 'xlm-roberta', 'roberta', 'modernbert'])('%s', async (family) => {
    const tokenizer = await Tokenizer.fromDirectory(join(families, family));
    const expected = expectedOf(family);
    expect(expected.length).toBe(342);
    for (const { text, ids } of expected) expect({ text, ids: [...tokenizer.encode(text).ids] }).toEqual({ text, ids });
    const batch = tokenizer.encodeBatch(expected.map(({ text }) => text));
    expect([...batch.ids]).toEqual(expected.flatMap(({ ids }) => ids));
  });

  test.each(['bert-reranker', 'xlm-roberta-reranker', 'modernbert-reranker'])(
    'pairs of %s, with their type ids',
    async (family) => {
      const tokenizer = await Tokenizer.fromDirectory(join(families, family));
      const expected = expectedOf(family);
      expect(expected.length).toBe(80);
      for (const { query = '', text, ids, type_ids: types } of expected) {
        const encoding = tokenizer.encodePair(query, text);
        expect({ query, text, ids: [...encoding.ids] }).toEqual({ query, text, ids });
        expect([...encoding.typeIds]).toEqual(types);
      }
    },
  );
});
