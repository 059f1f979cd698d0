import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { retryDelayMs } from '../../../../src/domain/limits/retry-delay.ts';

const ALMOST_ONE = 1 - Number.EPSILON;

describe('retryDelayMs', () => {
  it.each([
    [1, 999],
    [2, 1_999],
    [3, 3_999],
    [7, 59_999],
    [1_000, 59_999],
  ])('after failure %i waits up to %i ms when the base is a second', (failed, longest) => {
    expect(retryDelayMs(failed, 1_000, null, ALMOST_ONE)).toBe(longest);
    expect(retryDelayMs(failed, 1_000, null, 0)).toBe(0);
  });

  it('is spread out after the time that the provider asked for', () => {
    expect(retryDelayMs(1, 1_000, 5_000, 0)).toBe(5_000);
    expect(retryDelayMs(1, 1_000, 5_000, ALMOST_ONE)).toBe(5_999);
    expect(retryDelayMs(5, 1_000, 5_000, 0.5)).toBe(13_000);
    expect(retryDelayMs(1, 0, 1.5, ALMOST_ONE)).toBe(2);
  });

  it('is never more than a minute: a request that must wait longer does not wait here', () => {
    expect(retryDelayMs(1, 1_000, 60_000, ALMOST_ONE)).toBe(60_000);
    expect(retryDelayMs(1, 1_000, 60_001, 0)).toBeNull();
    expect(retryDelayMs(1, 1_000, 86_400_000, 0)).toBeNull();
  });

  it('is whole milliseconds within the limits for any input', () => {
    const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 50 }),
        fc.nat(10_000),
        fc.option(fc.nat(60_000)),
        random,
        (failed, base, asked, chance) => {
          const delay = retryDelayMs(failed, base, asked, chance) ?? -1;
          expect(Number.isInteger(delay)).toBe(true);
          expect(delay).toBeGreaterThanOrEqual(asked ?? 0);
          expect(delay).toBeLessThanOrEqual(60_000);
        },
      ),
    );
  });

  it('is spread evenly from zero to its maximum', () => {
    const delays = Array.from(
      { length: 1_000 },
      (_, index) => retryDelayMs(3, 1_000, null, index / 1_000) ?? -1,
    );
    for (const quarter of [0, 1, 2, 3]) {
      const within = delays.filter((delay) => Math.floor(delay / 1_000) === quarter);
      expect(within).toHaveLength(250);
    }
  });
});
