import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { editDistance, nearestNames } from '../../../../src/catalog/models/nearest-names.ts';

describe('the nearest names', () => {
  it('are at most three, the most similar first, equal ones in order', () => {
    expect(nearestNames('gpt-4-0314', ['o3', 'gpt-4-0613', 'gpt-4', 'gpt-4o', 'gpt-3.5-turbo'])).toEqual([
      'gpt-4-0613',
      'gpt-4',
      'gpt-4o',
    ]);
    expect(nearestNames('x', [])).toEqual([]);
  });

  it('follow from the first 64 characters, so that a long name costs no more', () => {
    const start = 'a'.repeat(64);
    expect(nearestNames(`${start}${'b'.repeat(960)}`, [`${start}bbb`, `${start}b`, start])).toEqual([
      start,
      `${start}b`,
      `${start}bbb`,
    ]);
  });
});

describe('the edit distance', () => {
  it.each([
    ['', '', 0],
    ['', 'abc', 3],
    ['kitten', 'sitting', 3],
    ['gpt-4o', 'gpt-4', 1],
  ])('of %j and %j is %i', (one, other, distance) => {
    expect(editDistance(one, other)).toBe(distance);
  });

  it('is the same in both directions, and bounded by the longer text', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (one, other) => {
        expect(editDistance(one, other)).toBe(editDistance(other, one));
        expect(editDistance(one, other)).toBeLessThanOrEqual(Math.max(one.length, other.length));
        expect(editDistance(one, one)).toBe(0);
      }),
    );
  });
});
