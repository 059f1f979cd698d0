import { describe, expect, it } from 'vitest';
import { regionOf } from '../../../../src/adapters/openai/region-of.ts';
import { shippedPrices } from '../../../../src/catalog/files/shipped-catalog.ts';
import { findPrice, priceTimelines } from '../../../../src/catalog/prices/versions/find-price.ts';
import { versionsOfFile } from '../../../../src/catalog/prices/versions/price-versions.ts';
import type { Price } from '../../../../src/domain/cost/price.ts';
import { priceCall, priceOfCall } from '../../../../src/domain/cost/price-call.ts';
import { priceInRegion } from '../../../../src/domain/cost/regional-price.ts';
import { plainUsage } from '../../../../src/domain/cost/usage.ts';

const price: Price = {
  id: 'price-1',
  provider: 'openai',
  model: 'gpt-x',
  currency: 'USD',
  effectiveFrom: 0,
  effectiveTo: null,
  source: 'test',
  components: { input: '2.5', output: '15', webSearch: '0.01', request: '0.005' },
  tiers: [{ aboveInputTokens: 272_000, components: { input: '5', output: '22.5' } }],
  serviceTiers: { flex: { components: { input: '1.25', output: '7.5' } } },
  regionalUplift: { eu: '1.1' },
};

describe('a price in a region', () => {
  it('has its uplift on every price of tokens, and on no fee', () => {
    expect(priceInRegion(price, 'eu')).toMatchObject({
      id: 'price-1',
      components: { input: '2.75', output: '16.5', webSearch: '0.01', request: '0.005' },
      tiers: [{ aboveInputTokens: 272_000, components: { input: '5.5', output: '24.75' } }],
      serviceTiers: { flex: { components: { input: '1.375', output: '8.25' } } },
    });
  });

  it('is the same in no region, and where no region costs more', () => {
    expect(priceInRegion(price, null)).toBe(price);
    const { regionalUplift: _uplift, ...flat } = price;
    expect(priceInRegion(flat, 'eu')).toBe(flat);
  });

  it.each(['in', 'constructor', '__proto__'])('is not known in a region without an uplift: %s', (region) => {
    expect(priceInRegion(price, region)).toBeNull();
  });
});

describe('the region of an endpoint', () => {
  it.each([
    ['https://eu.api.openai.com/v1', 'eu'],
    ['https://US.api.openai.com/v1', 'us'],
    ['https://api.openai.com/v1', null],
    ['https://eu.api.openai.com.example.com/v1', null],
    ['https://eu.example.com/v1', null],
    ['http://127.0.0.1:8080/v1', null],
  ])('of %s is %s', (baseUrl, region) => {
    expect(regionOf(baseUrl)).toBe(region);
  });
});

it('a call of the European endpoint costs a tenth more by the prices that ship', () => {
  const timelines = priceTimelines(versionsOfFile(shippedPrices));
  const prices = {
    price: (provider: string, model: string, at: number) => findPrice(timelines, provider, model, at),
  };
  const call = {
    provider: 'openai',
    model: 'gpt-5.4-2026-03-05',
    serviceTier: 'default',
    startedAt: Date.UTC(2026, 5, 1),
    usage: plainUsage(100_000, 10_000, 'PROVIDER'),
  };
  const amount = (region: string | null) => {
    const cost = priceCall(call, priceOfCall({ ...call, region }, prices));
    return cost.status === 'PRICED' ? cost.amount : cost.reason;
  };
  expect([amount(null), amount('eu')]).toEqual(['0.4', '0.44']);
  expect(amount('xx')).toBe('no_price');
});
