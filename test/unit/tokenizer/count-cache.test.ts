import { describe, expect, it } from 'vitest';
import { CountCache } from '../../../src/adapters/tokenizer/count-cache.ts';

/** Four texts of three characters, two bytes each, with what keeps them. */
const ROOM = 4 * (128 + 6);

const count = (tokens: number) => ({ tokens, exact: true });

describe('CountCache', () => {
  it('evicts the least recently used texts when all texts together are too long', () => {
    const cache = new CountCache(ROOM);
    cache.set('one', count(1));
    cache.set('two', count(2));
    cache.set('six', count(6));
    cache.set('ten', count(10));
    expect(cache.get('one')).toEqual(count(1));
    cache.set('new', count(3));
    expect(['one', 'two', 'six', 'ten', 'new'].map((text) => cache.get(text)?.tokens)).toEqual([
      1,
      undefined,
      6,
      10,
      3,
    ]);
  });

  it('counts a text that is set again once', () => {
    const cache = new CountCache(ROOM);
    for (let time = 0; time < 9; time += 1) cache.set('one', { tokens: time, exact: false });
    for (const text of ['two', 'six', 'ten']) cache.set(text, count(1));
    expect(cache.get('one')).toEqual({ tokens: 8, exact: false });
  });

  it('does not let one text use all its space', () => {
    const cache = new CountCache(ROOM);
    cache.set('four', count(1));
    expect(cache.get('four')).toBeNull();
  });
});
