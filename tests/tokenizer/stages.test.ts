/** Every stage with options of its own: the ids that Hugging Face tokenizers gave (scripts/generate-tokenizer-stages.mjs). */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { Tokenizer } from '../../lib/index.js';

interface Case {
  readonly ids: readonly number[][];
  readonly [stage: string]: unknown;
}

const [head, ...cases] = readFileSync(new URL('stages.jsonl', import.meta.url), 'utf8')
  .split('\n')
  .filter(Boolean)
  .map((line) => JSON.parse(line) as unknown) as [{ spelling: object; texts: string[] }, ...Case[]];
const { spelling, texts } = head;

describe('each stage gives the ids of Hugging Face tokenizers', () => {
  test('there are cases', () => {
    expect(cases.length).toBeGreaterThan(100);
  });

  const named = cases.map(({ ids, ...stages }, i) => ({
    name: `${i}: ${JSON.stringify(stages).slice(0, 120)}`,
    ids,
    stages,
  }));
  test.each(named)('$name', ({ ids, stages }) => {
    const tokenizer = Tokenizer.fromFiles({
      tokenizerJson: JSON.stringify({ version: '1.0', added_tokens: [], model: spelling, ...stages }),
    });
    texts.forEach((text, i) => {
      const encoding = tokenizer.encode(text, { maxTokens: Infinity });
      expect({ text, ids: [...encoding.ids] }).toEqual({ text, ids: ids[i] });
      // However little is wanted, the beginning is the same, and counting agrees.
      const half = Math.ceil((ids[i]?.length ?? 0) / 2);
      if (half > 0) expect([...tokenizer.encode(text, { maxTokens: half }).ids]).toEqual(ids[i]?.slice(0, half));
      expect(tokenizer.count(text)).toBe(ids[i]?.length);
    });
  });
});
