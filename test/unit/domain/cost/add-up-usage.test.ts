import { Big } from 'big.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { mapUsage } from '../../../../src/adapters/openai/usage/map-usage.ts';
import type { Usage } from '../../../../src/contract/record-types.ts';
import { calculateCost } from '../../../../src/domain/cost/calculate-cost.ts';
import type { Price } from '../../../../src/domain/cost/price.ts';
import { completeUsage } from '../../../../src/domain/cost/usage.ts';

const price: Price = {
  id: 'price-1',
  provider: 'any',
  model: 'any',
  currency: 'USD',
  effectiveFrom: 0,
  effectiveTo: null,
  source: 'test',
  components: { input: '3', output: '15', cachedInput: '0.75', cacheWrite: '4' },
};

interface Reported {
  readonly prompt?: number;
  readonly completion?: number;
  readonly total?: number;
  readonly reasoning?: number;
  readonly cached?: number;
  readonly written?: number;
}

function read({ prompt, completion, total, reasoning, cached, written }: Reported): Usage {
  const reported = mapUsage({
    prompt_tokens: prompt,
    completion_tokens: completion,
    total_tokens: total,
    prompt_tokens_details: { cached_tokens: cached, cache_write_tokens: written },
    completion_tokens_details: { reasoning_tokens: reasoning },
  });
  if (reported === null) throw new Error('no usage was read');
  return completeUsage(reported, { inputTokens: 1_000, arrived: () => 1_000, broke: false });
}

const costOf = (reported: Reported) => {
  const cost = calculateCost(read(reported), price, null);
  return cost.status === 'PRICED' ? cost.amount : cost.reason;
};

describe('a reported usage', () => {
  it('counts reasoning outside the completion when the total shows it (xAI)', () => {
    const usage = read({ prompt: 32, completion: 9, total: 135, reasoning: 94 });
    expect(usage).toMatchObject({
      inputTokens: 32,
      outputTokens: 103,
      totalTokens: 135,
      reasoningTokens: 94,
    });
    expect(costOf({ prompt: 32, completion: 9, total: 135, reasoning: 94 })).toBe('0.001641');
  });

  it('finds reasoning that only the total shows (Gemini)', () => {
    const usage = read({ prompt: 11, completion: 16, total: 812 });
    expect(usage).toMatchObject({
      inputTokens: 11,
      outputTokens: 801,
      totalTokens: 812,
      reasoningTokens: 785,
    });
    expect(costOf({ prompt: 11, completion: 16, total: 812 })).toBe('0.012048');
  });

  it('has only reasoning when the completion is missing (Gemini, at its limit)', () => {
    expect(read({ prompt: 11, total: 811 })).toMatchObject({ inputTokens: 11, outputTokens: 800 });
  });

  it('counts reasoning inside the completion when the total shows it (OpenAI)', () => {
    const usage = read({ prompt: 32, completion: 103, total: 135, reasoning: 94 });
    expect(usage).toMatchObject({ outputTokens: 103, reasoningTokens: 94 });
    expect(costOf({ prompt: 32, completion: 103, total: 135, reasoning: 94 })).toBe('0.001641');
  });

  it('counts cached tokens outside the prompt when the total shows it', () => {
    expect(read({ prompt: 10, cached: 90, completion: 5, total: 105 })).toMatchObject({
      inputTokens: 100,
      cachedInputTokens: 90,
      outputTokens: 5,
    });
    expect(costOf({ prompt: 10, cached: 90, completion: 5, total: 105 })).toBe('0.0001725');
  });

  it('counts both outside when only both together make the total', () => {
    expect(read({ prompt: 10, cached: 90, completion: 5, reasoning: 40, total: 145 })).toMatchObject({
      inputTokens: 100,
      outputTokens: 45,
    });
  });

  it('needs no total, and ignores one that the server does not fill', () => {
    expect(costOf({ prompt: 100, completion: 50 })).toBe('0.00105');
    expect(costOf({ prompt: 100, completion: 50, total: 0 })).toBe('0.00105');
  });

  it.each<[string, Reported]>([
    ['a total below its parts', { prompt: 100, completion: 50, total: 149 }],
    ['a total above its parts and the reasoning', { prompt: 100, completion: 50, reasoning: 7, total: 158 }],
    ['a rest where no reasoning is reported', { prompt: 100, completion: 50, reasoning: 0, total: 151 }],
    ['more reasoning than completion', { prompt: 100, completion: 50, reasoning: 51, total: 150 }],
    ['more reasoning than completion, without a total', { prompt: 100, completion: 50, reasoning: 51 }],
    ['more cached than prompt', { prompt: 100, completion: 50, cached: 101, total: 150 }],
    ['more cached and written than prompt', { prompt: 100, completion: 50, cached: 60, written: 41 }],
  ])('that does not add up is not priced: %s', (_what, reported) => {
    expect(costOf(reported)).toBe('invalid_usage');
  });
});

/**
 * The same by another calculation: it tries every interpretation of the parts, and the one that makes
 * the total holds. Money in whole picodollars per token.
 */
function expected({ prompt = 0, completion = 0, total, reasoning, cached = 0, written = 0 }: Reported) {
  const readings = [
    { more: 0, input: prompt, output: completion, holds: true },
    {
      more: reasoning ?? 0,
      input: prompt,
      output: completion + (reasoning ?? 0),
      holds: (reasoning ?? 0) > 0,
    },
    {
      more: cached + written,
      input: prompt + cached + written,
      output: completion,
      holds: cached + written > 0,
    },
    {
      more: (reasoning ?? 0) + cached + written,
      input: prompt + cached + written,
      output: completion + (reasoning ?? 0),
      holds: (reasoning ?? 0) > 0 && cached + written > 0,
    },
    {
      more: (total ?? 0) - prompt - completion,
      input: prompt,
      output: (total ?? 0) - prompt,
      holds: reasoning === undefined && (total ?? 0) > prompt + completion,
    },
  ];
  const isOpen = total === undefined || total === 0;
  const reading = isOpen
    ? readings[0]
    : readings.find(({ more, holds }) => holds && prompt + completion + more === total);
  if (reading === undefined) return 'invalid_usage';
  const { input, output } = reading;
  if (cached + written > input || (reasoning ?? 0) > output) return 'invalid_usage';
  const pico =
    BigInt(input - cached - written) * 3_000_000n +
    BigInt(cached) * 750_000n +
    BigInt(written) * 4_000_000n +
    BigInt(output) * 15_000_000n;
  return new Big(pico.toString()).div('1e12').toFixed();
}

describe('any reported usage', () => {
  const few = fc.integer({ min: 0, max: 12 });
  const reported: fc.Arbitrary<Reported> = fc
    .record({
      prompt: few,
      completion: few,
      reasoning: fc.option(few, { nil: undefined }),
      cached: few,
      written: few,
      beside: fc.constantFrom('nothing', 'reasoning', 'cache', 'both', 'more', 'less', 'unsaid'),
      odd: few,
    })
    .map(({ beside, odd, ...parts }) => {
      const sum = parts.prompt + parts.completion;
      const cache = parts.cached + parts.written;
      const reasoning = parts.reasoning ?? 0;
      const totals = {
        nothing: sum,
        reasoning: sum + reasoning,
        cache: sum + cache,
        both: sum + cache + reasoning,
        more: sum + odd,
        less: Math.max(0, sum - odd),
      };
      const { reasoning: reportedReasoning, ...others } = parts;
      return {
        ...others,
        ...(reportedReasoning === undefined ? {} : { reasoning: reportedReasoning }),
        ...(beside === 'unsaid' ? {} : { total: totals[beside] }),
      };
    });

  it('costs what an independent calculation says, or is priced by neither', () => {
    fc.assert(
      fc.property(reported, (usage) => {
        expect(costOf(usage)).toBe(expected(usage));
      }),
      { numRuns: 5_000 },
    );
  });
});
