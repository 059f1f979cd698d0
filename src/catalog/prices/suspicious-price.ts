import { Big } from 'big.js';
import type { PriceVersion } from '../stores.ts';
import { amountsOf } from './describe-change.ts';

/** An amount that grows or shrinks by more than this factor is suspicious. */
const LARGEST_FACTOR = 2;

/**
 * The reasons why a new price is suspicious: every amount that is more than double or less than half of the one before, or is
 * missing, and another currency. Empty if it may be added.
 */
export function suspicionsOf(before: PriceVersion, after: PriceVersion): string[] {
  const amounts = amountsOf(after);
  const currency =
    before.currency === after.currency ? [] : [`currency ${before.currency} → ${after.currency}`];
  return [
    ...currency,
    ...[...amountsOf(before)]
      .filter(([place, amount]) => isSuspicious(amount, amounts.get(place)))
      .map(([place, amount]) => `${place} ${amount} → ${amounts.get(place) ?? 'none'}`),
  ];
}

function isSuspicious(before: string, after: string | undefined): boolean {
  if (after === undefined) return true;
  const [one, other] = [new Big(before), new Big(after)];
  return other.gt(one.times(LARGEST_FACTOR)) || other.times(LARGEST_FACTOR).lt(one);
}
