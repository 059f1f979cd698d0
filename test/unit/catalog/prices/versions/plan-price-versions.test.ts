import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { planPriceVersions } from '../../../../../src/catalog/prices/versions/plan-price-versions.ts';
import type { PriceVersion } from '../../../../../src/catalog/stores.ts';

const version = (effectiveFrom: number, effectiveTo: number | null, input = '1'): PriceVersion => ({
  id: `openai/gpt-x@${effectiveFrom}`,
  provider: 'openai',
  model: 'gpt-x',
  currency: 'USD',
  effectiveFrom,
  effectiveTo,
  components: { input, output: '2' },
  source: 'a test',
  sourceHash: '00',
});

describe('new versions of a price', () => {
  it('may begin in an open version, before it, and exactly at another one’s end', () => {
    const wanted = [version(500, null), version(10, 20), version(20, 50)];
    expect(planPriceVersions([version(100, null)], wanted).append).toEqual(wanted);
  });

  it('are checked against each other as well', () => {
    const { append, refused } = planPriceVersions([], [version(0, 100), version(50, null)]);
    expect(append).toEqual([version(0, 100)]);
    expect(refused).toMatchObject([
      { version: { effectiveFrom: 50 }, reason: expect.stringContaining('overlaps openai/gpt-x@0') },
    ]);
  });

  it('with their own end may not overlap a later one, open or not', () => {
    const { refused } = planPriceVersions([version(100, null)], [version(50, 101)]);
    expect(refused).toMatchObject([{ reason: expect.stringContaining('to open') }]);
  });

  it('that are already known, even from another source, are no change', () => {
    const known = version(0, null);
    const { append, unchanged } = planPriceVersions(
      [known],
      [{ ...known, source: 'elsewhere', sourceHash: 'ff' }],
    );
    expect([append.length, unchanged.length]).toEqual([0, 1]);
  });

  it('never give one instant two prices, in any order', () => {
    const anyVersion = fc
      .record({
        from: fc.integer({ min: 0, max: 30 }),
        length: fc.option(fc.integer({ min: 1, max: 15 })),
        input: fc.constantFrom('1', '2'),
      })
      .map(({ from, length, input }) => version(from, length === null ? null : from + length, input));
    fc.assert(
      fc.property(fc.array(anyVersion, { maxLength: 12 }), (wanted) => {
        const { append, unchanged, refused } = planPriceVersions([], wanted);
        expect(append.length + unchanged.length + refused.length).toBe(wanted.length);
        const inOrder = append.toSorted((one, other) => one.effectiveFrom - other.effectiveFrom);
        for (const [index, { effectiveTo }] of inOrder.entries()) {
          const next = inOrder[index + 1]?.effectiveFrom ?? Number.POSITIVE_INFINITY;
          if (effectiveTo !== null) expect(effectiveTo).toBeLessThanOrEqual(next);
        }
        expect(new Set(inOrder.map(({ effectiveFrom }) => effectiveFrom)).size).toBe(inOrder.length);
      }),
    );
  });
});
