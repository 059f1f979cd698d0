import { Big } from 'big.js';
import type { Usage } from '../../contract/record-types.ts';
import type { DecimalText, Price, PriceComponents, TieredComponents } from './price.ts';

const TOKENS_PER_PRICE = 1_000_000;
const perToken = new Big('0.000001');

/** `currency_mismatch`: the call is priced in another currency than the rest of the bill. */
export type UnpricedReason = 'no_price' | 'invalid_usage' | 'currency_mismatch';

/** One line of a call's bill: `amount = quantity x unitPrice / unitSize`, exact. */
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

/** Calls of the provider's own tools within one call. No token count shows them. */
export interface ToolUses {
  readonly webSearches?: number;
  /** How much each search reads: low, medium or high. Medium if the request did not say. */
  readonly searchContextSize?: string;
  readonly fileSearches?: number;
}

const noTools: ToolUses = {};

/**
 * Calculates what the provider charges for one call. Amounts are exact, never rounded. Each token is priced once: cached,
 * cache-write, audio and image tokens are part of the input; reasoning and audio tokens are part of the output.
 *
 * - The *served* tier decides. `fast` is `priority`. The standard rate applies to `scale`, `auto`, `default`, `standard`,
 *   `on_demand` and no tier.
 * - If the input is strictly above a price tier's threshold, that tier prices the whole call, output included. If the
 *   standard rate has a threshold and the served tier does not, the call is unpriced.
 * - Cached, cache-write and image tokens without a rate of their own cost the input rate of the same tier. Reasoning
 *   tokens cost its output rate. The provider charges the same.
 * - If audio tokens, a tool or the served tier have no rate, the call is unpriced.
 * - A tool has one price per call in every tier, unless the tier has its own. The same holds for the fee per request.
 *
 * @param price the version in force when the call was sent; null if there was no price
 */
export function calculateCost(
  usage: Usage,
  price: Price | null,
  servedTier: string | null,
  tools: ToolUses = noTools,
): CallCost {
  const rates = price === null ? null : ratesFor(price, servedTier, usage.inputTokens);
  const parts = splitUsage(usage, rates);
  if (parts === null || !isCount(tools.webSearches ?? 0) || !isCount(tools.fileSearches ?? 0)) {
    return { status: 'UNPRICED', reason: 'invalid_usage' };
  }
  if (rates === null) return { status: 'UNPRICED', reason: 'no_price' };

  const lines: PricedLine[] = [];
  let amount = new Big(0);
  for (const { direction, kind, quantity, rate } of [
    ...parts,
    ...feeParts(tools, rates.request ?? price?.components.request),
  ]) {
    if (quantity === 0) continue;
    const unitPrice = rate(rates) ?? (direction === 'other' ? rate(price?.components ?? rates) : undefined);
    if (unitPrice === undefined) return { status: 'UNPRICED', reason: 'no_price' };
    const isTool = direction === 'other';
    const exactPrice = new Big(unitPrice);
    const perUnit = exactPrice.times(quantity);
    const lineAmount = isTool ? perUnit : perUnit.times(perToken);
    amount = amount.plus(lineAmount);
    lines.push({
      direction,
      kind,
      quantity,
      unit: isTool ? 'call' : 'token',
      unitSize: isTool ? 1 : TOKENS_PER_PRICE,
      unitPrice: exactPrice.toFixed(),
      amount: lineAmount.toFixed(),
    });
  }
  return { status: 'PRICED', lines, amount: amount.toFixed() };
}

interface UsagePart {
  readonly direction: PricedLine['direction'];
  readonly kind: string;
  readonly quantity: number;
  readonly rate: (rates: PriceComponents) => DecimalText | undefined;
}

/**
 * The usage as parts that do not overlap. Null if they do not add up, because a guess would be a wrong bill. Images are a
 * separate part only if they have a rate of their own: the provider does not report how many image tokens were cached.
 */
function splitUsage(usage: Usage, rates: PriceComponents | null): UsagePart[] | null {
  if (usage.totalTokens !== usage.inputTokens + usage.outputTokens) return null;
  const cached = usage.cachedInputTokens ?? 0;
  const cacheWrite = usage.cacheWriteTokens ?? 0;
  const inputAudio = usage.inputAudioTokens ?? 0;
  const imageRate = rates?.inputImage ?? rates?.input;
  const inputImage = imageRate === rates?.input ? 0 : (usage.inputImageTokens ?? 0);
  const reasoning = usage.reasoningTokens ?? 0;
  const outputAudio = usage.outputAudioTokens ?? 0;
  const input = usage.inputTokens - cached - cacheWrite - inputAudio - inputImage;
  const output = usage.outputTokens - reasoning - outputAudio;
  const counts = [input, cached, cacheWrite, inputAudio, inputImage, output, reasoning, outputAudio];
  if (!counts.every(isCount)) return null;
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
    { direction: 'input', kind: 'input_image', quantity: inputImage, rate: (rates) => rates.inputImage },
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

/** @param requestFee charged once per request, whatever it uses */
function feeParts(
  { webSearches, searchContextSize, fileSearches }: ToolUses,
  requestFee: DecimalText | undefined,
): UsagePart[] {
  const searchRate = (rates: PriceComponents) =>
    (searchContextSize === 'low' ? rates.webSearchLow : undefined) ??
    (searchContextSize === 'high' ? rates.webSearchHigh : undefined) ??
    rates.webSearch;
  return [
    { direction: 'other', kind: 'web_search', quantity: webSearches ?? 0, rate: searchRate },
    {
      direction: 'other',
      kind: 'file_search',
      quantity: fileSearches ?? 0,
      rate: (rates) => rates.fileSearch,
    },
    {
      direction: 'other',
      kind: 'request',
      quantity: requestFee === undefined ? 0 : 1,
      rate: (rates) => rates.request,
    },
  ];
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

/** `on_demand` is Groq's name for the standard tier, `standard` that of several gateways. */
const standardTiers: ReadonlySet<string> = new Set(['', 'auto', 'default', 'scale', 'standard', 'on_demand']);

/** Null if the price has no rates for the served tier. */
function ratesFor(price: Price, servedTier: string | null, inputTokens: number): PriceComponents | null {
  const standard = componentsAt(price, inputTokens);
  const tier = servedTier === 'fast' ? 'priority' : (servedTier ?? '');
  if (standardTiers.has(tier)) return standard;
  const served = price.serviceTiers?.[tier];
  if (served === undefined) return null;
  const components = componentsAt(served, inputTokens);
  const isLong = standard !== price.components;
  return isLong && components === served.components ? null : components;
}

/** The rates of the highest threshold that the input exceeds, else the rates without a threshold. */
function componentsAt({ components, tiers }: TieredComponents, inputTokens: number): PriceComponents {
  let chosen = components;
  let threshold = -1;
  for (const tier of tiers ?? []) {
    if (inputTokens > tier.aboveInputTokens && tier.aboveInputTokens > threshold) {
      chosen = tier.components;
      threshold = tier.aboveInputTokens;
    }
  }
  return chosen;
}
