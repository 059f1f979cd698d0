import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { retryDelayMs } from '../../../src/domain/retry-delay.ts';

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

  it('waits at least as long as the provider asked for', () => {
    expect(retryDelayMs(1, 1_000, 5_000, ALMOST_ONE)).toBe(5_000);
    expect(retryDelayMs(5, 1_000, 5_000, 0.5)).toBe(8_000);
  });

  it('never waits longer than a minute, whatever the provider asks for', () => {
    expect(retryDelayMs(1, 1_000, 3_600_000, 0)).toBe(60_000);
  });

  it('is whole milliseconds within the limits for any input', () => {
    const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
    const wish = fc.option(fc.nat(200_000));
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 50 }),
        fc.nat(10_000),
        wish,
        random,
        (failed, base, asked, chance) => {
          const delay = retryDelayMs(failed, base, asked, chance);
          expect(Number.isInteger(delay)).toBe(true);
          expect(delay).toBeGreaterThanOrEqual(Math.min(60_000, asked ?? 0));
          expect(delay).toBeLessThanOrEqual(60_000);
        },
      ),
    );
  });
});
