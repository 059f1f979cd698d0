import { describe, expect, it } from 'vitest';
import { findPrice, priceTimelines } from '../../../src/adapters/mongo/find-price.ts';
import type { PriceVersion } from '../../../src/catalog/stores.ts';

const version = (model: string, effectiveFrom: number, effectiveTo: number | null = null): PriceVersion => ({
  id: `openai/${model}@${effectiveFrom}`,
  provider: 'openai',
  model,
  currency: 'USD',
  effectiveFrom,
  effectiveTo,
  components: { input: '1', output: '2' },
  source: 'a test',
  sourceHash: '00',
});

describe('the price in force', () => {
  const timelines = priceTimelines([
    version('gpt-x', 300),
    version('gpt-x', 100),
    version('gpt-y', 100, 200),
    version('gpt-y', 250),
    version('gpt-x-2025-01-31', 150),
  ]);
  const idAt = (model: string, at: number) => findPrice(timelines, 'openai', model, at)?.id ?? null;

  it('includes a version’s first instant and not its last', () => {
    expect([99, 100, 299, 300, 1e15].map((at) => idAt('gpt-x', at))).toEqual([
      null,
      'openai/gpt-x@100',
      'openai/gpt-x@100',
      'openai/gpt-x@300',
      'openai/gpt-x@300',
    ]);
  });

  it('is none between a version’s own end and the next one’s begin', () => {
    expect([199, 200, 249, 250].map((at) => idAt('gpt-y', at))).toEqual([
      'openai/gpt-y@100',
      null,
      null,
      'openai/gpt-y@250',
    ]);
  });

  it('tells when it really ends', () => {
    expect(findPrice(timelines, 'openai', 'gpt-x', 100)).toMatchObject({ effectiveTo: 300 });
    expect(findPrice(timelines, 'openai', 'gpt-x', 300)).toMatchObject({ effectiveTo: null });
    expect(findPrice(timelines, 'openai', 'gpt-y', 100)).toMatchObject({ effectiveTo: 200 });
  });

  it('of a dated snapshot is its base model’s, unless it has prices of its own at any time', () => {
    expect(idAt('gpt-y-2024-08-06', 100)).toBe('openai/gpt-y@100');
    expect(idAt('gpt-x-2025-01-31', 150)).toBe('openai/gpt-x-2025-01-31@150');
    expect(idAt('gpt-x-2025-01-31', 120)).toBeNull();
    expect(idAt('gpt-z-2024-08-06', 100)).toBeNull();
  });
});
