import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { suspicionsOf } from '../../../../src/catalog/prices/suspicious-price.ts';
import type { PriceVersion } from '../../../../src/catalog/stores.ts';

const price = (members: Partial<PriceVersion> = {}): PriceVersion => ({
  id: 'p',
  provider: 'openai',
  model: 'gpt-x',
  currency: 'USD',
  effectiveFrom: 0,
  effectiveTo: null,
  components: { input: '1', output: '2', cachedInput: '0' },
  source: 'test',
  sourceHash: '',
  ...members,
});
const with_ = (input: string, more: object = {}) =>
  price({ components: { input, output: '2', cachedInput: '0', ...more } });

describe('a new price', () => {
  it.each<[string, PriceVersion, string[]]>([
    ['the same', price(), []],
    ['exactly double', with_('2'), []],
    ['a little more than double', with_('2.000001'), ['inputPerMillion 1 → 2.000001']],
    ['exactly half', with_('0.5'), []],
    ['a little less than half', with_('0.499999'), ['inputPerMillion 1 → 0.499999']],
    ['nothing', with_('0'), ['inputPerMillion 1 → 0']],
    ['no longer free', with_('1', { cachedInput: '0.000001' }), ['cachedInputPerMillion 0 → 0.000001']],
    ['in another currency', price({ currency: 'EUR' }), ['currency USD → EUR']],
    [
      'without an amount',
      price({ components: { input: '1', output: '2' } }),
      ['cachedInputPerMillion 0 → none'],
    ],
    ['with a new amount', with_('1', { reasoning: '100' }), []],
  ])('that is %s', (_what, after, expected) => {
    expect(suspicionsOf(price(), after)).toEqual(expected);
  });

  it('is compared with the previous price’s tiers too', () => {
    const tier = (input: string) => ({
      tiers: [{ aboveInputTokens: 200, components: { input, output: '1' } }],
      serviceTiers: { flex: { components: { input, output: '1' } } },
    });
    expect(suspicionsOf(price(tier('1')), price(tier('3')))).toEqual([
      'above200.inputPerMillion 1 → 3',
      'flex.inputPerMillion 1 → 3',
    ]);
  });

  it('is as suspicious as the reverse change', () => {
    const amount = fc.nat(1_000_000).map((n) => `${n / 1_000}`);
    fc.assert(
      fc.property(amount, amount, (one, other) => {
        expect(suspicionsOf(with_(one), with_(other)).length).toBe(
          suspicionsOf(with_(other), with_(one)).length,
        );
      }),
    );
  });
});
