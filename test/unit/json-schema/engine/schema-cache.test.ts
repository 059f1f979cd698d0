import { expect, it } from 'vitest';
import { SchemaCache } from '../../../../src/adapters/json-schema/engine/schema-cache.ts';

/** A cache that records the schemas that it compiled. */
function counting(maxEntries: number, maxCharacters: number) {
  const cache = new SchemaCache<string>({ maxEntries, maxCharacters });
  const made: string[] = [];
  const get = (text: string) =>
    cache.getOrMake(text, () => {
      made.push(text);
      return text.toUpperCase();
    });
  return { cache, made, get };
}

it('keeps the most recently used entries, by count', () => {
  const { cache, made, get } = counting(2, 100);
  expect(['a', 'b', 'a', 'c', 'a', 'b'].map(get)).toEqual(['A', 'B', 'A', 'C', 'A', 'B']);
  expect(made).toEqual(['a', 'b', 'c', 'b']);
  expect(cache.size).toBe(2);
});

it('keeps no more characters than its limit', () => {
  const { cache, made, get } = counting(100, 10);
  for (const text of ['aaaa', 'bbbb', 'cccc', 'bbbb', 'aaaa']) get(text);
  expect(made).toEqual(['aaaa', 'bbbb', 'cccc', 'aaaa']);
  get('x'.repeat(11));
  expect(cache.size).toBe(0);
});
