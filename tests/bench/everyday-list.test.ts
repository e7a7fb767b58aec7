import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { contentStems, sharedStems } from '../../bench/quality/words.mjs';

function lines<T>(name: string): T[] {
  const text = readFileSync(new URL(`../../bench/quality/everyday/${name}`, import.meta.url), 'utf8');
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as T);
}

const sentences = lines<{ id: string; topic: string; text: string }>('topics.jsonl');
const queries = lines<{ query: string; answers: string[]; lexical: string }>('queries.jsonl');
const textOf = new Map(sentences.map(({ id, text }) => [id, text]));
const normal = (text: string) => text.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, ' ');

describe('the everyday list', () => {
  test('has 1,000 sentences, 25 on each of 40 topics', () => {
    const counts = new Map<string, number>();
    for (const { topic } of sentences) counts.set(topic, (counts.get(topic) ?? 0) + 1);
    expect(sentences).toHaveLength(1000);
    expect(counts.size).toBe(40);
    expect([...counts].filter(([, count]) => count !== 25)).toEqual([]);
  });

  test('numbers its sentences by topic, and none stands twice', () => {
    expect(sentences.filter(({ id, topic }) => !new RegExp(`^${topic}-\\d\\d$`).test(id))).toEqual([]);
    expect(textOf.size).toBe(sentences.length);
    expect(new Set(sentences.map(({ text }) => normal(text))).size).toBe(sentences.length);
    expect(sentences.filter(({ text }) => !/^\p{Lu}.*[^ ]\.$/u.test(text))).toEqual([]);
  });

  test('has at least 320 queries, none twice, each with sentences of the list as its answers', () => {
    expect(queries.length).toBeGreaterThanOrEqual(320);
    expect(new Set(queries.map(({ query }) => normal(query))).size).toBe(queries.length);
    const astray = queries.filter(
      ({ answers }) =>
        answers.length === 0 || new Set(answers).size < answers.length || !answers.every((id) => textOf.has(id)),
    );
    expect(astray).toEqual([]);
  });

  test('at least half of the queries are marked as sharing no content word with any answer, and share none', () => {
    const none = queries.filter(({ lexical }) => lexical === 'none');
    expect(none.length * 2).toBeGreaterThanOrEqual(queries.length);
    const sharing = none.flatMap(({ query, answers }) =>
      answers.map((id) => ({ query, id, shared: sharedStems(query, textOf.get(id) ?? '') })),
    );
    expect(sharing.filter(({ shared }) => shared.length > 0)).toEqual([]);
  });

  test('all the others share at least one', () => {
    const shared = queries.filter(({ lexical }) => lexical !== 'none');
    expect(shared.filter(({ lexical }) => lexical !== 'shared')).toEqual([]);
    const without = shared.filter(
      ({ query, answers }) => !answers.some((id) => sharedStems(query, textOf.get(id) ?? '').length > 0),
    );
    expect(without).toEqual([]);
  });
});

describe('content words', () => {
  test('are the same across inflections', () => {
    expect(sharedStems('Drying, baked; RUNNING', 'dries the bakers ran and runs')).toEqual(['dri', 'bak', 'run']);
    expect(sharedStems('children', 'bicycles')).toEqual([]);
  });

  test('are without stop words, and parted by hyphens and apostrophes', () => {
    expect([...contentStems("What's the self-service in Zürich for 50?")]).toEqual(['self', 'servic', 'zürich', '50']);
  });
});
