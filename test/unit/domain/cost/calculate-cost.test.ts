import { Big } from 'big.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Usage } from '../../../../src/contract/record-types.ts';
import { calculateCost } from '../../../../src/domain/cost/calculate-cost.ts';
import type { Price, PriceComponents } from '../../../../src/domain/cost/price.ts';
import { plainUsage } from '../../../../src/domain/cost/usage.ts';

function price(components: PriceComponents, members: Partial<Price> = {}): Price {
  return {
    id: 'price-1',
    provider: 'openai',
    model: 'gpt-4',
    currency: 'USD',
    effectiveFrom: 0,
    effectiveTo: null,
    source: 'test',
    components,
    ...members,
  };
}

function usage(inputTokens: number, outputTokens: number, details: Partial<Usage> = {}): Usage {
  return { ...plainUsage(inputTokens, outputTokens, 'PROVIDER'), ...details };
}

function amountOf(...call: Parameters<typeof calculateCost>): string {
  const cost = calculateCost(...call);
  return cost.status === 'PRICED' ? cost.amount : cost.reason;
}

const gpt4 = price({ input: '30', output: '60' });
const everything = price({
  input: '1',
  output: '2',
  cachedInput: '0.1',
  cacheWrite: '1.25',
  inputAudio: '40',
  outputAudio: '80',
  reasoning: '3',
});

describe('a fee for each request', () => {
  const withFee = price({ input: '1', output: '2', request: '0.005' });

  it('is one line of the call, whatever it uses', () => {
    const cost = calculateCost(usage(1_000, 500), withFee, null);
    expect(cost).toMatchObject({
      amount: '0.007',
      lines: [
        { kind: 'input' },
        { kind: 'output' },
        { direction: 'other', kind: 'request', quantity: 1, unit: 'call', unitSize: 1, amount: '0.005' },
      ],
    });
    expect(amountOf(usage(0, 0), withFee, null)).toBe('0.005');
  });

  it('holds in every service tier and above every threshold, unless they have their own', () => {
    const tiered = price(withFee.components, {
      tiers: [{ aboveInputTokens: 10, components: { input: '2', output: '2' } }],
      serviceTiers: {
        flex: { components: { input: '1', output: '1' } },
        priority: { components: { input: '1', output: '1', request: '0.01' } },
      },
    });
    expect(amountOf(usage(5, 5), tiered, 'priority')).toBe('0.01001');
    expect(amountOf(usage(11, 5), tiered, null)).toBe('0.005032');
    expect(amountOf(usage(5, 5), { ...tiered, tiers: [] }, 'flex')).toBe('0.00501');
  });
});

describe('calculateCost', () => {
  it('charges 0.006 dollars for 100 tokens in and 50 out of gpt-4', () => {
    expect(calculateCost(usage(100, 50), gpt4, null)).toEqual({
      status: 'PRICED',
      amount: '0.006',
      lines: [
        {
          direction: 'input',
          kind: 'input',
          quantity: 100,
          unit: 'token',
          unitSize: 1_000_000,
          unitPrice: '30',
          amount: '0.003',
        },
        {
          direction: 'output',
          kind: 'output',
          quantity: 50,
          unit: 'token',
          unitSize: 1_000_000,
          unitPrice: '60',
          amount: '0.003',
        },
      ],
    });
  });

  it('prices each kind of token once, at its own rate', () => {
    const cost = calculateCost(
      usage(1_000, 500, {
        cachedInputTokens: 100,
        cacheWriteTokens: 200,
        inputAudioTokens: 300,
        reasoningTokens: 150,
        outputAudioTokens: 50,
      }),
      everything,
      null,
    );
    const lines = cost.status === 'PRICED' ? cost.lines : [];
    expect(
      lines.map(({ direction, kind, quantity, unitPrice, amount }) => [
        direction,
        kind,
        quantity,
        unitPrice,
        amount,
      ]),
    ).toEqual([
      ['input', 'input', 400, '1', '0.0004'],
      ['input', 'cached_input', 100, '0.1', '0.00001'],
      ['input', 'cache_write', 200, '1.25', '0.00025'],
      ['input', 'input_audio', 300, '40', '0.012'],
      ['output', 'output', 300, '2', '0.0006'],
      ['output', 'reasoning', 150, '3', '0.00045'],
      ['output', 'output_audio', 50, '80', '0.004'],
    ]);
    expect(amountOf(usage(1_000, 500, { cachedInputTokens: 1_000 }), everything, null)).toBe('0.0011');
  });

  it('charges the input rate for cached and cache-write tokens and the output rate for reasoning without a rate of their own', () => {
    const details = { cachedInputTokens: 10, cacheWriteTokens: 20, reasoningTokens: 30 };
    expect(amountOf(usage(100, 50, details), gpt4, null)).toBe('0.006');
  });

  it('leaves audio without a rate unpriced', () => {
    expect(amountOf(usage(10, 10, { inputAudioTokens: 1 }), gpt4, null)).toBe('no_price');
    expect(amountOf(usage(10, 10, { outputAudioTokens: 1 }), gpt4, null)).toBe('no_price');
  });

  it('treats a missing price as unknown, not as zero', () => {
    expect(calculateCost(usage(100, 50), null, null)).toEqual({ status: 'UNPRICED', reason: 'no_price' });
    expect(calculateCost(usage(100, 50), price({ input: '0', output: '0' }), null)).toMatchObject({
      status: 'PRICED',
      amount: '0',
    });
    expect(calculateCost(usage(0, 0), gpt4, null)).toEqual({ status: 'PRICED', amount: '0', lines: [] });
  });

  it.each([
    ['more cached than input', usage(10, 0, { cachedInputTokens: 11 })],
    ['parts of the input that overlap', usage(10, 0, { cachedInputTokens: 6, inputAudioTokens: 6 })],
    ['more reasoning than output', usage(0, 10, { reasoningTokens: 11 })],
    ['a negative count', usage(-1, 0)],
    ['a negative part', usage(10, 0, { cacheWriteTokens: -1 })],
    ['a fraction', usage(0.5, 0)],
    ['not a number', usage(Number.NaN, 0)],
    ['more than can be counted', usage(2 ** 53, 0)],
  ])('leaves a usage that does not add up unpriced: %s', (_what, wrong) => {
    expect(amountOf(wrong, everything, null)).toBe('invalid_usage');
  });

  describe('with price tiers', () => {
    const tiered = price(
      { input: '1', output: '10' },
      {
        tiers: [
          { aboveInputTokens: 500_000, components: { input: '4', output: '40' } },
          { aboveInputTokens: 200_000, components: { input: '2', output: '20' } },
        ],
      },
    );

    it.each([
      [200_000, '0.2001'],
      [200_001, '0.400202'],
      [500_000, '1.0002'],
      [500_001, '2.000404'],
    ])('prices the whole call by the highest threshold strictly below its input: %i', (input, amount) => {
      expect(amountOf(usage(input, 10), tiered, null)).toBe(amount);
    });

    it('counts cached tokens towards the threshold', () => {
      expect(amountOf(usage(200_001, 0, { cachedInputTokens: 200_000 }), tiered, null)).toBe('0.400002');
    });
  });

  describe('with service tiers', () => {
    const served = price(
      { input: '10', output: '10' },
      {
        tiers: [{ aboveInputTokens: 100, components: { input: '1000', output: '1000' } }],
        serviceTiers: {
          flex: { components: { input: '5', output: '5' } },
          priority: {
            components: { input: '20', output: '20' },
            tiers: [{ aboveInputTokens: 100, components: { input: '40', output: '40' } }],
          },
        },
      },
    );

    it.each([
      [null, '0.0001'],
      ['', '0.0001'],
      ['auto', '0.0001'],
      ['default', '0.0001'],
      ['scale', '0.0001'],
      ['standard', '0.0001'],
      ['on_demand', '0.0001'],
      ['flex', '0.00005'],
      ['priority', '0.0002'],
      ['fast', '0.0002'],
      ['platinum', 'no_price'],
    ])('charges the served tier: %s', (tier, amount) => {
      expect(amountOf(usage(10, 0), served, tier)).toBe(amount);
    });

    it("uses the tier's own thresholds", () => {
      expect(amountOf(usage(101, 0), served, 'priority')).toBe('0.00404');
      expect(amountOf(usage(100, 0), served, 'priority')).toBe('0.002');
    });

    it('has no price above a threshold if the tier has none there, even if the standard rate has one', () => {
      expect(amountOf(usage(100, 0), served, 'flex')).toBe('0.0005');
      expect(amountOf(usage(101, 0), served, 'flex')).toBe('no_price');
    });

    it('has no price for an unknown tier', () => {
      expect(amountOf(usage(10, 0), gpt4, 'flex')).toBe('no_price');
    });
  });
});

describe('calculateCost, in cases that other calculators get wrong', () => {
  const image = price(
    { input: '10', output: '20', cachedInput: '1', inputImage: '30' },
    {
      tiers: [{ aboveInputTokens: 1_000, components: { input: '100', output: '200', inputImage: '300' } }],
      serviceTiers: {
        flex: { components: { input: '5', output: '10', inputImage: '15' } },
        batch: { components: { input: '5', output: '10', cachedInput: '0.5' } },
      },
    },
  );
  const withImage = usage(100, 0, { inputImageTokens: 60 });

  it('charges by the served tier, not the requested one', () => {
    // The answer reports the served tier. The requested one has no effect.
    expect(amountOf(usage(100, 10), image, 'default')).toBe('0.0012');
  });

  it('charges image tokens by the service tier and the price tier', () => {
    expect(amountOf(withImage, image, null)).toBe('0.0022');
    expect(amountOf(withImage, image, 'flex')).toBe('0.0011');
    expect(amountOf(usage(1_001, 0, { inputImageTokens: 1 }), image, null)).toBe('0.1003');
    // Without an image rate, the tier's input rate applies, never another tier's.
    expect(amountOf(withImage, image, 'batch')).toBe('0.0005');
  });

  it('has a separate line for images, unless they cost the same as text', () => {
    const kinds = (...call: Parameters<typeof calculateCost>) => {
      const cost = calculateCost(...call);
      return cost.status === 'PRICED' ? cost.lines.map(({ kind, quantity }) => [kind, quantity]) : [];
    };
    expect(kinds(withImage, image, null)).toEqual([
      ['input', 40],
      ['input_image', 60],
    ]);
    const cachedToo = { ...withImage, cachedInputTokens: 90 };
    expect(kinds(cachedToo, price({ input: '10', output: '20', inputImage: '10' }), null)).toEqual([
      ['input', 10],
      ['cached_input', 90],
    ]);
    expect(amountOf(cachedToo, image, null)).toBe('invalid_usage');
  });

  it('applies the batch discount to cached tokens too', () => {
    const cached = usage(100, 0, { cachedInputTokens: 90 });
    expect(amountOf(cached, image, 'batch')).toBe('0.000095');
    expect(amountOf(cached, image, null)).toBe('0.00019');
  });

  it('charges the input rate when a cached price is missing, never nothing', () => {
    expect(amountOf(usage(100, 0, { cachedInputTokens: 100 }), image, 'flex')).toBe('0.0005');
  });

  it('never computes with floats: the smallest price keeps its last digit with the largest usage', () => {
    const cost = amountOf(usage(999_999_999, 1), price({ input: '0.000003', output: '0.1' }), null);
    expect(cost).toBe('0.003000099997');
  });
});

describe('calculateCost, for tools', () => {
  const fees = price(
    { input: '1', output: '2', webSearch: '0.035', webSearchLow: '0.03', webSearchHigh: '0.05' },
    { serviceTiers: { flex: { components: { input: '1', output: '1', fileSearch: '0.002' } } } },
  );

  it('has a line per kind of call, which no token count shows', () => {
    expect(calculateCost(usage(0, 0), fees, null, { webSearches: 2 })).toEqual({
      status: 'PRICED',
      amount: '0.07',
      lines: [
        {
          direction: 'other',
          kind: 'web_search',
          quantity: 2,
          unit: 'call',
          unitSize: 1,
          unitPrice: '0.035',
          amount: '0.07',
        },
      ],
    });
  });

  it.each([
    ['low', '0.03'],
    ['medium', '0.035'],
    ['high', '0.05'],
  ])('charges a search by its context size: %s', (searchContextSize, amount) => {
    expect(amountOf(usage(0, 0), fees, null, { webSearches: 1, searchContextSize })).toBe(amount);
  });

  it('charges the served tier’s own fee, else the standard one, and has no price without either', () => {
    expect(amountOf(usage(0, 0), fees, 'flex', { webSearches: 1 })).toBe('0.035');
    expect(amountOf(usage(0, 0), fees, 'flex', { fileSearches: 1 })).toBe('0.002');
    expect(amountOf(usage(0, 0), fees, null, { fileSearches: 1 })).toBe('no_price');
    expect(amountOf(usage(0, 0), fees, null, { webSearches: -1 })).toBe('invalid_usage');
  });
});

describe('calculateCost, for any usage', () => {
  const rate = fc
    .record({ whole: fc.nat(500), decimals: fc.nat(999_999) })
    .map(({ whole, decimals }) => `${whole}.${String(decimals).padStart(6, '0')}`);
  const components = fc.record({
    input: rate,
    output: rate,
    cachedInput: rate,
    cacheWrite: rate,
    inputAudio: rate,
    outputAudio: rate,
    reasoning: rate,
  });
  const count = fc.nat(2_000_000);
  const counts = fc.tuple(count, count, count, count, count, count, count);

  function usageOf([text, cached, write, audio, out, reasoning, voice]: number[]): Usage {
    const parts = [cached, write, audio, reasoning, voice].map((part) => part ?? 0);
    const [
      cachedInputTokens = 0,
      cacheWriteTokens = 0,
      inputAudioTokens = 0,
      reasoningTokens = 0,
      outputAudioTokens = 0,
    ] = parts;
    return usage(
      (text ?? 0) + cachedInputTokens + cacheWriteTokens + inputAudioTokens,
      (out ?? 0) + reasoningTokens + outputAudioTokens,
      { cachedInputTokens, cacheWriteTokens, inputAudioTokens, reasoningTokens, outputAudioTokens },
    );
  }

  it('has lines that add up to the amount and to the tokens, exactly', () => {
    fc.assert(
      fc.property(components, counts, (rates, tokens) => {
        const used = usageOf(tokens);
        const cost = calculateCost(used, price(rates), null);
        if (cost.status !== 'PRICED') throw new Error(cost.reason);
        const sum = cost.lines.reduce((total, line) => total.plus(line.amount), new Big(0));
        expect(sum.eq(cost.amount)).toBe(true);
        for (const line of cost.lines) {
          const exact = BigInt(line.quantity) * BigInt(new Big(line.unitPrice).times(1_000_000).toFixed());
          expect(BigInt(new Big(line.amount).times('1000000000000').toFixed())).toBe(exact);
        }
        const tokensOf = (direction: string) =>
          cost.lines
            .filter((line) => line.direction === direction)
            .reduce((total, line) => total + line.quantity, 0);
        expect([tokensOf('input'), tokensOf('output')]).toEqual([used.inputTokens, used.outputTokens]);
      }),
    );
  });

  it('never costs less for more tokens of a kind', () => {
    fc.assert(
      fc.property(components, counts, fc.nat(6), fc.nat(1_000), (rates, tokens, kind, more) => {
        const grown = tokens.map((tokensOfKind, index) =>
          index === kind ? tokensOfKind + more : tokensOfKind,
        );
        const [less, greater] = [tokens, grown].map((each) => amountOf(usageOf(each), price(rates), null));
        expect(new Big(greater ?? '').gte(less ?? '')).toBe(true);
      }),
    );
  });

  it('never costs less for more tokens, across a threshold whose prices are no lower either', () => {
    fc.assert(
      fc.property(
        components,
        counts,
        fc.nat(6),
        fc.nat(300_000),
        fc.nat(9),
        (rates, tokens, kind, more, factor) => {
          const above = Object.fromEntries(
            Object.entries(rates).map(([name, amount]) => [
              name,
              new Big(amount).times(1 + factor).toFixed(),
            ]),
          ) as unknown as PriceComponents;
          const tiered = price(rates, { tiers: [{ aboveInputTokens: 272_000, components: above }] });
          const grown = tokens.map((one, index) => (index === kind ? one + more : one));
          const [less, greater] = [tokens, grown].map((each) => amountOf(usageOf(each), tiered, null));
          expect(new Big(greater ?? '').gte(less ?? '')).toBe(true);
        },
      ),
    );
  });
});
