import type { Usage } from '../../contract/record-types.ts';
import { type CallCost, calculateCost, type ToolUses } from './calculate-cost.ts';
import type { Price } from './price.ts';
import { priceInRegion } from './regional-price.ts';

/** Everything about one call to the provider that decides its cost. */
export interface UsedCall {
  /** As served. */
  readonly model: string;
  /** As sent to the provider, if known and different. */
  readonly requestedModel?: string | null | undefined;
  /** The region of the endpoint that was called; null or absent if it is in no region. */
  readonly region?: string | null | undefined;
  /** As served. */
  readonly serviceTier: string | null;
  readonly usage: Usage;
  /** As requested: how much each web search reads. */
  readonly searchContextSize?: string | null | undefined;
  /** Counted calls of the provider's tools. If absent, they follow from the model. */
  readonly tools?: ToolUses;
}

/** Looks up the price version in force at an instant (epoch ms); null if there is no price. */
export interface Prices {
  price(provider: string, model: string, at: number): Price | null;
}

/**
 * The price of a call: that of the served model, else that of the requested one. Gateways and deployments name their
 * models freely, so the served name may have no price. The region's uplift is included.
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
 * @param price the version in force when the call was sent; null if there was no price
 */
export function priceCall(call: UsedCall, price: Price | null): CallCost {
  return calculateCost(call.usage, price, call.serviceTier, call.tools ?? toolUsesOf(call));
}

const searchModel = /-search-(preview|api)\b/;

/**
 * The provider's search models search the web once before each answer. The reported usage does not count that. Other models
 * use none of the provider's tools in Chat Completions.
 *
 * Source: https://platform.openai.com/docs/guides/tools-web-search
 */
function toolUsesOf({ model, requestedModel, usage, searchContextSize }: UsedCall): ToolUses {
  const searches = searchesTheWeb(model) || searchesTheWeb(requestedModel ?? '');
  if (!searches || usage.outputTokens === 0) return {};
  return { webSearches: 1, ...(searchContextSize == null ? {} : { searchContextSize }) };
}

/** Whether a model searches the web for each answer. */
export function searchesTheWeb(model: string): boolean {
  return searchModel.test(model);
}
