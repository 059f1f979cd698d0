import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readUsageLine } from '../../../src/adapters/openai/usage/read-usage-line.ts';
import { findPrice, priceTimelines } from '../../../src/catalog/prices/versions/find-price.ts';
import { versionsOfFile } from '../../../src/catalog/prices/versions/price-versions.ts';
import { priceCall } from '../../../src/domain/cost/price-call.ts';

/**
 * Realistic prices and usage, and their cost by a calculation independent of the service's: whole
 * picodollars in BigInt, directly from LiteLLM's members.
 */
const PICO = 10n ** 12n;
type Members = Record<string, bigint>;

const tiers = ['', '_flex', '_priority', '_batches'] as const;
const kinds = [
  'input_cost_per_token',
  'output_cost_per_token',
  'cache_read_input_token_cost',
  'cache_creation_input_token_cost',
] as const;
const audio = ['input_cost_per_audio_token', 'output_cost_per_audio_token'] as const;

/** Picodollars per token, with and without a threshold at 272k, for every service tier. */
const members: fc.Arbitrary<Members> = fc
  .record({
    isLong: fc.boolean(),
    amounts: fc.array(fc.bigInt({ min: 0n, max: 100_000_000n }), { minLength: 40, maxLength: 40 }),
    hasCachePrice: fc.boolean(),
  })
  .map(({ isLong, amounts, hasCachePrice }) => {
    const thresholds = isLong ? ['', '_above_272k_tokens'] : [''];
    const names = tiers.flatMap((tier) =>
      thresholds.flatMap((above) => [
        ...kinds.slice(0, hasCachePrice ? 4 : 2).map((kind) => `${kind}${above}${tier}`),
        ...audio.filter(() => above === '').map((kind) => `${kind}${tier}`),
      ]),
    );
    return Object.fromEntries(names.map((name, index) => [name, amounts[index % amounts.length] ?? 0n]));
  });

const few = fc.nat(5_000);
const usages = fc.record({
  text: fc.oneof(few, fc.integer({ min: 271_900, max: 272_100 }), fc.nat(1_000_000)),
  cached: few,
  written: few,
  out: few,
  reasoning: few,
  spokenIn: fc.nat(50),
  spokenOut: fc.nat(50),
});
type Parts = typeof usages extends fc.Arbitrary<infer Value> ? Value : never;

function expected(prices: Members, parts: Parts, tier: string): bigint | null {
  const prompt = parts.text + parts.cached + parts.written + parts.spokenIn;
  const above =
    prompt > 272_000 && 'input_cost_per_token_above_272k_tokens' in prices ? '_above_272k_tokens' : '';
  const rate = (kind: string) => prices[`${kind}${above}${tier}`];
  const input = rate('input_cost_per_token') ?? 0n;
  const output = rate('output_cost_per_token') ?? 0n;
  const spoken = parts.spokenIn + parts.spokenOut > 0;
  if (spoken && above !== '') return null;
  return (
    BigInt(parts.text) * input +
    BigInt(parts.cached) * (rate('cache_read_input_token_cost') ?? input) +
    BigInt(parts.written) * (rate('cache_creation_input_token_cost') ?? input) +
    BigInt(parts.spokenIn) * (rate('input_cost_per_audio_token') ?? 0n) +
    BigInt(parts.out + parts.reasoning) * output +
    BigInt(parts.spokenOut) * (rate('output_cost_per_audio_token') ?? 0n)
  );
}

function picodollars(amount: string): bigint {
  const [whole = '', fraction = ''] = amount.split('.');
  return BigInt(whole) * PICO + BigInt(fraction.padEnd(12, '0'));
}

describe('a usage priced with LiteLLM’s amounts', () => {
  it('costs what an independent calculation in whole picodollars says, for any amounts and usage', () => {
    fc.assert(
      fc.property(members, usages, fc.constantFrom(...tiers), (prices, parts, tier) => {
        const figures = Object.entries(prices).map(([name, amount]) => `"${name}": ${amount}e-12`);
        const text = `{"gpt-x": {"litellm_provider": "openai", "mode": "chat", ${figures.join(', ')}}}`;
        const timelines = priceTimelines(versionsOfFile({ name: 'any.json', text }));
        const line = readUsageLine(
          JSON.stringify({
            model: 'gpt-x-2025-01-31',
            service_tier: { '': 'default', _flex: 'flex', _priority: 'fast', _batches: 'batch' }[tier],
            usage: {
              prompt_tokens: parts.text + parts.cached + parts.written + parts.spokenIn,
              completion_tokens: parts.out + parts.reasoning + parts.spokenOut,
              prompt_tokens_details: {
                cached_tokens: parts.cached,
                cache_write_tokens: parts.written,
                audio_tokens: parts.spokenIn,
              },
              completion_tokens_details: {
                reasoning_tokens: parts.reasoning,
                audio_tokens: parts.spokenOut,
                rejected_prediction_tokens: parts.out,
              },
            },
          }),
        );
        if ('failed' in line) throw new Error('it is no line of a batch');
        const price = findPrice(timelines, 'openai', line.model, 0);
        const cost = priceCall(line, price);
        const cents = expected(prices, parts, tier);
        expect(cost.status === 'PRICED' ? picodollars(cost.amount) : null).toBe(cents);
        if (cost.status !== 'PRICED') return;
        const sum = cost.lines.reduce((total, { amount }) => total + picodollars(amount), 0n);
        expect(sum).toBe(cents);
      }),
      { numRuns: 500 },
    );
  });
});
