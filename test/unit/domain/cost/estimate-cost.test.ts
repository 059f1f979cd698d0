import { Big } from 'big.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { calculateCost } from '../../../../src/domain/cost/calculate-cost.ts';
import { highestCost, lowestCost } from '../../../../src/domain/cost/estimate-cost.ts';
import type { PriceComponents } from '../../../../src/domain/cost/price.ts';
import { plainUsage } from '../../../../src/domain/cost/usage.ts';
import { priceOf } from '../../../support/fakes/fake-catalog.ts';

const M = 1_000_000;
const usage = { inputTokens: M, audioTokens: 0, outputTokens: M, audioOutput: false };
const priced = (components: Partial<PriceComponents>) =>
  priceOf('gpt-4', { components: { input: '2', output: '10', ...components } });

describe('highestCost', () => {
  it.each([
    ['plain rates', {}, {}, '12'],
    ['a prompt that is written to the cache', { cacheWrite: '2.5' }, {}, '12.5'],
    ['a prompt that is not, where writing is cheaper', { cacheWrite: '1' }, {}, '12'],
    ['a prompt from the cache, where that is dearer', { cachedInput: '3' }, {}, '13'],
    ['an answer that is reasoned', { reasoning: '11' }, {}, '13'],
    ['an answer that is not, where reasoning is cheaper', { reasoning: '1' }, {}, '12'],
    ['a prompt that is cached, where that is dearer', { cachedInput: '3' }, {}, '13'],
    ['both', { cacheWrite: '2.5', reasoning: '11' }, {}, '13.5'],
    ['audio in the prompt', { inputAudio: '40' }, { audioTokens: M / 2 }, '31'],
    ['a spoken answer', { outputAudio: '80' }, { audioOutput: true }, '82'],
  ])('takes %s', (_case, components, members, amount) => {
    expect(highestCost({ ...usage, ...members }, priced(components), null)).toBe(amount);
  });

  it('takes the dearest tier that may serve', () => {
    const serviceTiers = {
      flex: { components: { input: '1', output: '5' } },
      priority: { components: { input: '4', output: '20' } },
      batch: { components: { input: '100', output: '100' } },
    };
    const tiered = { ...priced({}), serviceTiers };
    // Flex that is served at the standard rate, and priority that is not served.
    expect(highestCost(usage, tiered, 'flex')).toBe('12');
    expect(highestCost(usage, tiered, 'priority')).toBe('24');
    expect(highestCost(usage, tiered, 'fast')).toBe('24');
    expect(highestCost(usage, tiered, 'auto')).toBe('24');
    expect(highestCost(usage, tiered, 'default')).toBe('12');
    expect(highestCost(usage, tiered, null)).toBe('12');
    expect(lowestCost(M, tiered, 'auto')).toBe('1');
  });

  it('has fees per call', () => {
    const fees = priced({ request: '0.5', webSearch: '0.25', webSearchHigh: '0.75' });
    expect(highestCost(usage, fees, null)).toBe('12.5');
    expect(highestCost({ ...usage, tools: { webSearches: 1 } }, fees, null)).toBe('12.75');
    const high = { webSearches: 1, searchContextSize: 'high' };
    expect(highestCost({ ...usage, tools: high }, fees, null)).toBe('13.25');
  });

  it('is unknown when audio has no price', () => {
    expect(highestCost({ ...usage, audioTokens: 1 }, priced({}), null)).toBeNull();
    expect(highestCost({ ...usage, audioOutput: true }, priced({}), null)).toBeNull();
  });

  it('uses the rates of the requested tier, even if only that tier has a cache rate', () => {
    const flex = { components: { input: '1', output: '5', cacheWrite: '3' } };
    expect(highestCost(usage, { ...priced({}), serviceTiers: { flex } }, 'flex')).toBe('12');
    const dear = { components: { input: '3', output: '15', cacheWrite: '9' } };
    expect(highestCost(usage, { ...priced({}), serviceTiers: { flex: dear } }, 'flex')).toBe('24');
    const above = [{ aboveInputTokens: 10, components: { input: '4', output: '20', cacheWrite: '5' } }];
    expect(highestCost(usage, { ...priced({}), tiers: above }, null)).toBe('25');
    expect(highestCost(usage, priced({}), 'flex')).toBeNull();
  });
});

describe('lowestCost', () => {
  it('assumes a fully cached prompt, and no answer', () => {
    expect(lowestCost(M, priced({}), null)).toBe('2');
    expect(lowestCost(M, priced({ cachedInput: '0.5' }), null)).toBe('0.5');
    expect(lowestCost(M, priced({}), 'flex')).toBeNull();
  });
});

it('every usage within the limits costs an amount between the two', () => {
  const rate = fc.integer({ min: 0, max: 500 }).map((cents) => new Big(cents).div(100).toFixed());
  const rates = fc.record(
    { input: rate, output: rate, cachedInput: rate, cacheWrite: rate, reasoning: rate },
    { requiredKeys: ['input', 'output'] },
  );
  const share = fc.double({ min: 0, max: 1, noNaN: true });
  fc.assert(
    fc.property(rates, fc.array(share, { minLength: 4, maxLength: 4 }), (components, shares) => {
      const price = priceOf('gpt-4', { components });
      const [output, cached, cacheWrite, reasoning] = shares.map((part) => Math.floor(part * 500));
      const cost = calculateCost(
        {
          ...plainUsage(1_000, output ?? 0, 'PROVIDER'),
          cachedInputTokens: cached ?? 0,
          cacheWriteTokens: cacheWrite ?? 0,
          reasoningTokens: Math.min(reasoning ?? 0, output ?? 0),
        },
        price,
        null,
      );
      const highest = highestCost({ ...usage, inputTokens: 1_000, outputTokens: 500 }, price, null) ?? 0;
      const lowest = lowestCost(1_000, price, null) ?? 0;
      const amount = new Big(cost.status === 'PRICED' ? cost.amount : -1);
      expect(amount.lte(highest)).toBe(true);
      expect(amount.gte(lowest)).toBe(true);
    }),
  );
});
