import type { Usage } from '../contract/records.ts';
import { type CallCost, calculateCost, type ToolUses } from './calculate-cost.ts';
import type { Price } from './price.ts';

/** What one call to the provider was, as far as it decides the cost. */
export interface UsedCall {
  /** As served. */
  readonly model: string;
  /** As served. */
  readonly serviceTier: string | null;
  readonly usage: Usage;
}

/**
 * What the provider charges for a call, tools included.
 *
 * @param price the version in force when it was sent; null when there is none
 */
export function priceCall({ model, serviceTier, usage }: UsedCall, price: Price | null): CallCost {
  return calculateCost(usage, price, serviceTier, toolUsesOf(model, usage));
}

const searchModel = /-search-(preview|api)\b/;

/**
 * The provider's search models look into the web once for each answer, before it begins; its usage does not count that.
 * Other models use no tools of the provider's in Chat Completions.
 *
 * Source: https://platform.openai.com/docs/guides/tools-web-search
 */
function toolUsesOf(model: string, usage: Usage): ToolUses {
  return searchModel.test(model) && usage.outputTokens > 0 ? { webSearches: 1 } : {};
}
