import { Big } from 'big.js';
import type { Usage } from '../../contract/record-types.ts';
import type { DecimalText, Price, PriceComponents, TieredComponents } from './price.ts';

const TOKENS_PER_PRICE = 1_000_000;
const perToken = new Big('0.000001');

/** `currency_mismatch`: its price is in another currency than the rest of the bill. */
export type UnpricedReason = 'no_price' | 'invalid_usage' | 'currency_mismatch';

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

/** Calls of the provider's own tools within one call, which no token count shows. */
export interface ToolUses {
  readonly webSearches?: number;
  /** How much each search reads: low, medium or high; medium when it was not said. */
  readonly searchContextSize?: string;
  readonly fileSearches?: number;
}

const noTools: ToolUses = {};

/**
 * What the provider charges for one call. Each kind of token is priced once: cached, cache-write, audio and image tokens
 * are part of the input, reasoning and audio tokens part of the output. Exact, never rounded.
 *
 * - The *served* tier decides; `fast` is `priority`; `scale`, `auto`, `default`, `standard`, `on_demand` and none are the standard rate.
 * - Above a price tier's threshold (strictly) the whole call is priced by that tier, output included. A served tier that
 *   has no rate above a threshold where the standard rate has one leaves the call unpriced.
 * - Without a rate of their own, cached, cache-write and image tokens cost the input rate and reasoning tokens the output
 *   rate of the same tier, as the provider charges them; audio tokens, tools and served tiers without a rate leave the
 *   call unpriced.
 * - Tools have one price per call, whatever the tier, unless the tier has its own. So has the request itself, where it costs a fee.
 *
 * @param price the version in force when the call was sent; null when there is none
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
 * The usage as parts that do not overlap; null when they do not add up, since guessing would be a wrong bill. Images are
 * a part of their own only where they cost something else than text: the provider does not tell how many of their tokens
 * were cached.
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

/** @param requestFee of each request, whatever it uses */
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

/** `on_demand` is Groq's name of it, `standard` that of several gateways. */
const standardTiers: ReadonlySet<string> = new Set(['', 'auto', 'default', 'scale', 'standard', 'on_demand']);

/** Null when the price has none for what was served. */
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

/** Of the highest threshold that the input is above, or those without one. */
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
