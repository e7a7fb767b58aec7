import { describe, expect, test } from 'vitest';
import { JsonDocuments } from '../../lib/llm/json-documents.js';

const all = (...pieces: string[]): string[] => {
  const documents = new JsonDocuments();
  return pieces.flatMap((piece) => [...documents.push(piece)]);
};

describe('JsonDocuments', () => {
  test('finds the same objects wherever the text is cut', () => {
    const objects = [{ a: 'x' }, { b: { c: '}"{\\', d: [{}] } }, {}, { 'k"\\': '\n\u2028é🦙' }];
    const text = objects.map((object, at) => JSON.stringify(object, undefined, at % 2)).join('\r\n');
    for (let size = 1; size <= text.length; size++) {
      const pieces = Array.from({ length: Math.ceil(text.length / size) }, (_, at) =>
        text.slice(at * size, (at + 1) * size),
      );
      expect(all(...pieces).map((document) => JSON.parse(document) as unknown)).toEqual(objects);
    }
  });

  test('keeps what is not complete', () => {
    const documents = new JsonDocuments();
    expect([...documents.push('{"a":1} \n {"b":')]).toEqual(['{"a":1}']);
    expect(documents.rest).toBe('{"b":');
    expect([...documents.push('2}\n')]).toEqual(['{"b":2}']);
    expect(documents.rest).toBe('');
  });

  test.each(['<html>', '[1]', 'null', '"x"', '}'])('refuses %s', (text) => {
    expect(() => all('{}\n', text)).toThrow(SyntaxError);
  });

  test('refuses an object beyond its limit', () => {
    const documents = new JsonDocuments(10);
    expect([...documents.push('{"a":1}{"b":2}')]).toHaveLength(2);
    expect(() => [...documents.push('{"a":"12345678')]).toThrow('longer than 10 characters');
  });
});
