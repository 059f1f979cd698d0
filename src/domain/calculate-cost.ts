import { Big } from 'big.js';
import type { Usage } from '../contract/records.ts';
import type { DecimalText, Price, PriceComponents, TieredComponents } from './price.ts';

const TOKENS_PER_PRICE = 1_000_000;
const perToken = new Big('0.000001');

export type UnpricedReason = 'no_price' | 'invalid_usage';

/** One posting of a call: `amount = quantity x unitPrice / unitSize`, exact. */
export interface PricedLine {
  readonly direction: 'input' | 'output' | 'other';
  readonly kind: string;
  readonly quantity: number;
  readonly unit: 'token' | 'call';
  readonly unitSize: number;
  readonly unitPrice: DecimalText;
  readonly amount: DecimalText;
}

export type CallCost =
  | { readonly status: 'PRICED'; readonly lines: readonly PricedLine[]; readonly amount: DecimalText }
  | { readonly status: 'UNPRICED'; readonly reason: UnpricedReason };

/**
 * What the provider charges for one call. Each kind of token is priced once: cached, cache-write and audio tokens are
 * part of the input, reasoning and audio tokens part of the output. Exact, never rounded.
 *
 * - The *served* tier decides; `fast` is `priority`; `scale`, `auto`, `default` and none are the standard rate.
 * - Above a price tier's threshold (strictly) the whole call is priced by that tier, output included.
 * - Without a rate of their own, cached, cache-write and image tokens cost the input rate and reasoning tokens the output
 *   rate, as the provider charges them; audio tokens, or a served tier, without a rate leave the call unpriced.
 *
 * @param price the version in force when the call was sent; null when there is none
 */
export function calculateCost(usage: Usage, price: Price | null, servedTier: string | null): CallCost {
  const parts = splitUsage(usage);
  if (parts === null) return { status: 'UNPRICED', reason: 'invalid_usage' };
  const rates = price === null ? null : ratesFor(price, servedTier, usage.inputTokens);
  if (rates === null) return { status: 'UNPRICED', reason: 'no_price' };

  const lines: PricedLine[] = [];
  let amount = new Big(0);
  for (const { direction, kind, quantity, rate } of parts) {
    if (quantity === 0) continue;
    const unitPrice = rate(rates);
    if (unitPrice === undefined) return { status: 'UNPRICED', reason: 'no_price' };
    const lineAmount = new Big(unitPrice).times(quantity).times(perToken);
    amount = amount.plus(lineAmount);
    lines.push({
      direction,
      kind,
      quantity,
      unit: 'token',
      unitSize: TOKENS_PER_PRICE,
      unitPrice: new Big(unitPrice).toFixed(),
      amount: lineAmount.toFixed(),
    });
  }
  return { status: 'PRICED', lines, amount: amount.toFixed() };
}

interface UsagePart {
  readonly direction: 'input' | 'output';
  readonly kind: string;
  readonly quantity: number;
  readonly rate: (rates: PriceComponents) => DecimalText | undefined;
}

/** The usage as parts that do not overlap; null when they do not add up, since guessing would be a wrong bill. */
function splitUsage(usage: Usage): UsagePart[] | null {
  const cached = usage.cachedInputTokens ?? 0;
  const cacheWrite = usage.cacheWriteTokens ?? 0;
  const inputAudio = usage.inputAudioTokens ?? 0;
  const reasoning = usage.reasoningTokens ?? 0;
  const outputAudio = usage.outputAudioTokens ?? 0;
  const input = usage.inputTokens - cached - cacheWrite - inputAudio;
  const output = usage.outputTokens - reasoning - outputAudio;
  if (![input, cached, cacheWrite, inputAudio, output, reasoning, outputAudio].every(isCount)) return null;
  return [
    { direction: 'input', kind: 'input', quantity: input, rate: (rates) => rates.input },
    {
      direction: 'input',
      kind: 'cached_input',
      quantity: cached,
      rate: (rates) => rates.cachedInput ?? rates.input,
    },
    {
      direction: 'input',
      kind: 'cache_write',
      quantity: cacheWrite,
      rate: (rates) => rates.cacheWrite ?? rates.input,
    },
    { direction: 'input', kind: 'input_audio', quantity: inputAudio, rate: (rates) => rates.inputAudio },
    { direction: 'output', kind: 'output', quantity: output, rate: (rates) => rates.output },
    {
      direction: 'output',
      kind: 'reasoning',
      quantity: reasoning,
      rate: (rates) => rates.reasoning ?? rates.output,
    },
    { direction: 'output', kind: 'output_audio', quantity: outputAudio, rate: (rates) => rates.outputAudio },
  ];
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

const standardTiers: ReadonlySet<string> = new Set(['', 'auto', 'default', 'scale']);

function ratesFor(price: Price, servedTier: string | null, inputTokens: number): PriceComponents | null {
  const tier = servedTier === 'fast' ? 'priority' : (servedTier ?? '');
  const rates: TieredComponents | undefined = standardTiers.has(tier) ? price : price.serviceTiers?.[tier];
  if (rates === undefined) return null;
  let chosen = rates.components;
  let threshold = -1;
  for (const { aboveInputTokens, components } of rates.tiers ?? []) {
    if (inputTokens > aboveInputTokens && aboveInputTokens > threshold) {
      chosen = components;
      threshold = aboveInputTokens;
    }
  }
  return chosen;
}
