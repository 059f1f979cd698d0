import { type CatalogModel, NEVER_LISTED } from '../../../src/catalog/stores.ts';
import type { Price } from '../../../src/domain/cost/price.ts';
import type { Catalog, ModelInfo } from '../../../src/ports/catalog.ts';

/** Models and prices set by a test. A price applies to its own model and, if given, to others by name. */
export class FakeCatalog implements Catalog {
  readonly models = new Map<string, ModelInfo>();
  readonly prices: Price[] = [];
  /** Models that are priced as another one, as dated snapshots are. */
  readonly pricedAs = new Map<string, string>();

  model(provider: string, id: string): ModelInfo | null {
    return this.models.get(`${provider}/${id}`) ?? null;
  }

  nearest(): readonly string[] {
    return [...this.models.values()].filter(({ lifecycle }) => lifecycle !== 'removed').map(({ id }) => id);
  }

  price(provider: string, model: string, at: number): Price | null {
    const name = this.pricedAs.get(model) ?? model;
    const holds = (price: Price) =>
      price.provider === provider &&
      price.model === name &&
      price.effectiveFrom <= at &&
      (price.effectiveTo === null || at < price.effectiveTo);
    return this.prices.find(holds) ?? null;
  }
}

export function modelInfo(id: string, members: Partial<ModelInfo> = {}): ModelInfo {
  return {
    provider: 'openai',
    id,
    contextWindow: 8_192,
    maxOutputTokens: null,
    maxTokensParameter: 'max_tokens',
    refusedParameters: [],
    refusedWhileReasoning: [],
    defaultReasoningEffort: null,
    streams: true,
    reasons: false,
    chats: true,
    lifecycle: 'active',
    shutdownAt: null,
    ...members,
  };
}

/** By default, 30 dollars per million input tokens and 60 per million output tokens. */
export function priceOf(model: string, members: Partial<Price> = {}): Price {
  return {
    id: `price-${model}`,
    provider: 'openai',
    model,
    currency: 'USD',
    effectiveFrom: 0,
    effectiveTo: null,
    components: { input: '30', output: '60' },
    source: 'https://example.com/pricing',
    ...members,
  };
}

/** A model of the provider as the catalog keeps it, just imported. */
export function catalogModel(id: string, members: Partial<CatalogModel> = {}): CatalogModel {
  return {
    provider: 'openai',
    id,
    contextWindow: 1_000,
    maxOutputTokens: 100,
    maxTokensParameter: 'max_tokens',
    refusedParameters: [],
    refusedWhileReasoning: [],
    defaultReasoningEffort: null,
    capabilities: ['chat'],
    aliases: [],
    snapshot: null,
    shutdownAt: null,
    source: 'test',
    ...NEVER_LISTED,
    ...members,
  };
}
