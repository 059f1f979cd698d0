import { describe, expect, it } from 'vitest';
import { describeModelChange, describePriceChange } from '../../../../src/catalog/prices/describe-change.ts';
import { type CatalogModel, NEVER_LISTED, type PriceVersion } from '../../../../src/catalog/stores.ts';

const NOW = Date.UTC(2026, 5, 1);
const model: CatalogModel = {
  provider: 'openai',
  id: 'gpt-x',
  contextWindow: 1_000,
  maxOutputTokens: null,
  maxTokensParameter: 'max_tokens',
  refusedParameters: [],
  refusedWhileReasoning: [],
  defaultReasoningEffort: null,
  capabilities: ['chat', 'tools'],
  aliases: [],
  snapshot: null,
  shutdownAt: null,
  source: 'models.json',
  ...NEVER_LISTED,
};
const price: PriceVersion = {
  id: 'openai/gpt-x@2026-01-01T00:00:00.000Z',
  provider: 'openai',
  model: 'gpt-x',
  currency: 'USD',
  effectiveFrom: Date.UTC(2026, 0, 1),
  effectiveTo: null,
  components: { input: '1', output: '2' },
  source: 'prices.json',
  sourceHash: '',
};

const kindOf = (before: Partial<CatalogModel>, after: Partial<CatalogModel>) =>
  describeModelChange({ ...model, ...before }, { ...model, ...after }, NOW)?.change ?? null;

describe('a change of a model', () => {
  it('reports a new model with its facts', () => {
    expect(describeModelChange(null, model, NOW)).toEqual({
      eventId: expect.stringMatching(/^[0-9a-f-]{14}5/),
      provider: 'openai',
      model: 'gpt-x',
      change: 'ADDED',
      details: [
        { property: 'contextWindow', before: null, after: '1000' },
        { property: 'maxTokensParameter', before: null, after: 'max_tokens' },
        { property: 'capabilities', before: null, after: 'chat,tools' },
      ],
      priceId: null,
      source: 'models.json',
      occurredAt: NOW,
    });
  });

  it('has only the most significant kind', () => {
    expect(kindOf({}, { contextWindow: 2 })).toBe('UPDATED');
    expect(kindOf({}, { shutdownAt: NOW + 1, contextWindow: 2 })).toBe('DEPRECATED');
    expect(kindOf({}, { shutdownAt: NOW })).toBe('REMOVED');
    expect(kindOf({ shutdownAt: NOW + 1 }, { shutdownAt: NOW + 1, deprecatedAt: NOW })).toBe('UPDATED');
    expect(kindOf({ deprecatedAt: 1 }, { deprecatedAt: 1, removedAt: NOW })).toBe('REMOVED');
    expect(kindOf({ deprecatedAt: 1, removedAt: 2 }, {})).toBe('UPDATED');
    expect(kindOf({ deprecatedAt: 1, removedAt: 2 }, { deprecatedAt: 1 })).toBe('UPDATED');
  });

  it('is null when only comparison state differs', () => {
    expect(kindOf({}, { missedRuns: 2, listedAt: NOW, source: 'other.json' })).toBeNull();
  });

  it('has instants as text, and a different id for the same change at another time', () => {
    const change = describeModelChange(model, { ...model, removedAt: NOW }, NOW);
    expect(change?.details).toEqual([
      { property: 'removedAt', before: null, after: '2026-06-01T00:00:00.000Z' },
    ]);
    const later = describeModelChange(model, { ...model, removedAt: NOW }, NOW + 1);
    expect(later?.eventId).not.toBe(change?.eventId);
  });
});

describe('a change of a price', () => {
  it('reports every changed amount by its path', () => {
    const before = {
      ...price,
      tiers: [{ aboveInputTokens: 272_000, components: { input: '2', output: '3' } }],
    };
    const after = {
      ...price,
      id: 'new',
      components: { input: '1', output: '2.5', cachedInput: '0.1' },
      serviceTiers: { flex: { components: { input: '0.5', output: '1' } } },
    };
    expect(describePriceChange(before, after, NOW)).toMatchObject({
      change: 'PRICED',
      priceId: 'new',
      details: [
        { property: 'price.outputPerMillion', before: '2', after: '2.5' },
        { property: 'price.cachedInputPerMillion', before: null, after: '0.1' },
        { property: 'price.flex.inputPerMillion', before: null, after: '0.5' },
        { property: 'price.flex.outputPerMillion', before: null, after: '1' },
        { property: 'price.above272000.inputPerMillion', before: '2', after: null },
        { property: 'price.above272000.outputPerMillion', before: '3', after: null },
      ],
    });
  });

  it('names the unit of each amount: fees are per call', () => {
    const after = {
      ...price,
      id: 'new',
      components: { ...price.components, webSearch: '0.025', webSearchLow: '0.01', fileSearch: '0.0025' },
    };
    expect(describePriceChange(price, after, NOW)?.details.map(({ property }) => property)).toEqual([
      'price.webSearchPerCall',
      'price.webSearchLowPerCall',
      'price.fileSearchPerCall',
    ]);
  });

  it('has one id per version, whenever it is reported', () => {
    expect(describePriceChange(null, price, NOW).eventId).toBe(
      describePriceChange(null, price, NOW + 1).eventId,
    );
  });
});
