import type { Usage } from '../../contract/record-types.ts';
import { type CallCost, calculateCost, type ToolUses } from './calculate-cost.ts';
import type { Price } from './price.ts';
import { priceInRegion } from './regional-price.ts';

/** What one call to the provider was, as far as it decides the cost. */
export interface UsedCall {
  /** As served. */
  readonly model: string;
  /** As sent to the provider, where that is known and another name. */
  readonly requestedModel?: string | null | undefined;
  /** Of the endpoint that was called; null or absent for one that is in no region. */
  readonly region?: string | null | undefined;
  /** As served. */
  readonly serviceTier: string | null;
  readonly usage: Usage;
  /** As asked for: how much each search of the web reads. */
  readonly searchContextSize?: string | null | undefined;
  /** Calls of the provider's tools that somebody counted; without it they follow from the model. */
  readonly tools?: ToolUses;
}

/** Where prices are looked up: the version in force at an instant (epoch ms), null when there is none. */
export interface Prices {
  price(provider: string, model: string, at: number): Price | null;
}

/**
 * The price of a call: of the served name; of the requested one where the served name has none, since a gateway or a deployment
 * names what it serves as it likes. In a region it has the region's uplift.
 */
export function priceOfCall(
  {
    provider,
    model,
    requestedModel,
    region = null,
    startedAt,
  }: Pick<UsedCall, 'model' | 'requestedModel' | 'region'> & {
    readonly provider: string;
    readonly startedAt: number;
  },
  prices: Prices,
): Price | null {
  const ofServed = prices.price(provider, model, startedAt);
  const price =
    ofServed ?? (requestedModel == null ? null : prices.price(provider, requestedModel, startedAt));
  return price && priceInRegion(price, region);
}

/**
 * What the provider charges for a call, tools included.
 *
 * @param price the version in force when it was sent; null when there is none
 */
export function priceCall(call: UsedCall, price: Price | null): CallCost {
  return calculateCost(call.usage, price, call.serviceTier, call.tools ?? toolUsesOf(call));
}

const searchModel = /-search-(preview|api)\b/;

/**
 * The provider's search models look into the web once for each answer, before it begins; its usage does not count that.
 * Other models use no tools of the provider's in Chat Completions.
 *
 * Source: https://platform.openai.com/docs/guides/tools-web-search
 */
function toolUsesOf({ model, requestedModel, usage, searchContextSize }: UsedCall): ToolUses {
  const searches = searchesTheWeb(model) || searchesTheWeb(requestedModel ?? '');
  if (!searches || usage.outputTokens === 0) return {};
  return { webSearches: 1, ...(searchContextSize == null ? {} : { searchContextSize }) };
}

/** Whether a model looks into the web for each answer. */
export function searchesTheWeb(model: string): boolean {
  return searchModel.test(model);
}
