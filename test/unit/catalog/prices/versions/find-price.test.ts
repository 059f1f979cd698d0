import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { findPrice, priceTimelines } from '../../../../../src/catalog/prices/versions/find-price.ts';
import type { PriceVersion } from '../../../../../src/catalog/stores.ts';

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
    version('gpt-y-2025-01-31', 120, 160),
    version('ft:gpt-x-2025-01-31', 100),
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

  it('is null between a version’s own end and the next one’s start', () => {
    expect([199, 200, 249, 250].map((at) => idAt('gpt-y', at))).toEqual([
      'openai/gpt-y@100',
      null,
      null,
      'openai/gpt-y@250',
    ]);
  });

  it('has its actual end', () => {
    expect(findPrice(timelines, 'openai', 'gpt-x', 100)).toMatchObject({ effectiveTo: 300 });
    expect(findPrice(timelines, 'openai', 'gpt-x', 300)).toMatchObject({ effectiveTo: null });
    expect(findPrice(timelines, 'openai', 'gpt-y', 100)).toMatchObject({ effectiveTo: 200 });
  });

  it('of a dated snapshot is its base model’s until its first own price begins, and only its own from then on', () => {
    expect(idAt('gpt-y-2024-08-06', 100)).toBe('openai/gpt-y@100');
    expect(idAt('gpt-x-2025-01-31', 149)).toBe('openai/gpt-x@100');
    expect(idAt('gpt-x-2025-01-31', 150)).toBe('openai/gpt-x-2025-01-31@150');
    expect(idAt('gpt-y-2025-01-31', 150)).toBe('openai/gpt-y-2025-01-31@120');
    expect(idAt('gpt-y-2025-01-31', 170)).toBeNull();
    expect(idAt('gpt-z-2024-08-06', 100)).toBeNull();
  });

  it('of a fine-tuned model is the tuned base model’s price', () => {
    expect(idAt('ft:gpt-x-2025-01-31:acme:support:8Ab', 100)).toBe('openai/ft:gpt-x-2025-01-31@100');
    expect(idAt('ft:gpt-y:acme::1', 100)).toBeNull();
  });

  it('changes only its id when a version is split in two at any instant', () => {
    const begins = fc.uniqueArray(fc.integer({ min: 0, max: 1_000 }), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(begins, fc.nat(5), fc.nat(1_200), fc.nat(1_200), (starts, which, cut, at) => {
        const versions = starts.map((from) => ({
          ...version('gpt-x', from),
          components: { input: String(from), output: '1' },
        }));
        const inOrder = versions.toSorted((one, other) => one.effectiveFrom - other.effectiveFrom);
        const index = which % inOrder.length;
        const whole = inOrder[index];
        const end = inOrder[index + 1]?.effectiveFrom ?? Number.POSITIVE_INFINITY;
        fc.pre(whole !== undefined && whole.effectiveFrom < cut && cut < end);
        const split = [
          ...versions,
          { ...whole, id: 'the second half', effectiveFrom: cut },
        ] as PriceVersion[];
        const figuresAt = (all: readonly PriceVersion[]) => {
          const { components, model, currency, source } =
            findPrice(priceTimelines(all), 'openai', 'gpt-x', at) ?? {};
          return { components, model, currency, source };
        };
        expect(figuresAt(split)).toEqual(figuresAt(versions));
      }),
    );
  });
});
