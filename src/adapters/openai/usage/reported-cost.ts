import { Big } from 'big.js';
import type { DecimalText } from '../../../domain/cost/price.ts';
import { isObject } from '../../../domain/text/is-object.ts';
import type { WireObject } from '../wire/wire.ts';

/** What a cost event holds after the point. */
const DECIMALS = 12;
/** No single call costs as much; a larger number is a fault. */
const LARGEST = new Big(1_000_000_000);
/** A number as text: bounded, so that nothing long is parsed. */
const plainNumber = /^\d{1,9}(\.\d{1,30})?$/;
/** xAI counts in ticks, ten billion to the dollar. */
const TICKS_PER_DOLLAR = 10_000_000_000;

/**
 * The provider's own cost of a call, in US dollars, to 12 decimals: `usage.cost` as a number or text (OpenRouter, vLLM
 * gateways), or an object with a total (Perplexity), `estimated_cost` (DeepInfra), `cost_in_usd_ticks` (xAI).
 *
 * @returns null if no cost is reported, or it is not an amount that one call can have
 */
export function reportedCost(usage: WireObject): DecimalText | null {
  const { cost, total_cost: total, estimated_cost: estimated, cost_in_usd_ticks: ticks } = usage;
  const amount =
    amountOf(isObject(cost) ? cost['total_cost'] : cost) ?? amountOf(total) ?? amountOf(estimated);
  if (amount !== null) return dollars(amount);
  const counted = amountOf(ticks);
  return counted === null ? null : dollars(counted.div(TICKS_PER_DOLLAR));
}

function amountOf(value: unknown): Big | null {
  const isNumber = typeof value === 'number' && Number.isFinite(value) && value >= 0;
  return isNumber || (typeof value === 'string' && plainNumber.test(value)) ? new Big(value) : null;
}

function dollars(amount: Big): DecimalText | null {
  return amount.gte(LARGEST) ? null : amount.round(DECIMALS).toFixed();
}
