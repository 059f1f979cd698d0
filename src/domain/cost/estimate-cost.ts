import { Big } from 'big.js';
import type { Usage } from '../../contract/record-types.ts';
import { calculateCost, type ToolUses } from './calculate-cost.ts';
import type { DecimalText, Price, PriceComponents } from './price.ts';
import { plainUsage } from './usage.ts';

/** The most that a call is expected to use. */
export interface HighestUsage {
  readonly inputTokens: number;
  /** Those input tokens that are audio. */
  readonly audioTokens: number;
  /** Of all choices together. */
  readonly outputTokens: number;
  /** Whether the answer may contain audio. */
  readonly audioOutput: boolean;
  /** Calls of the provider's tools, as far as they are known before the call. */
  readonly tools?: ToolUses;
}

const STANDARD = 'default';
/** For batches only, never for a single call. */
const BATCH = 'batch';

/**
 * The tiers that may serve a request. A tier without capacity falls back to the standard rate. With `auto` the provider
 * chooses. A request without a tier is served at the standard rate.
 */
function tiersOf(
  askedTier: string | null,
  price: Price,
): { sure: readonly string[]; other: readonly string[] } {
  if (askedTier !== 'auto') return { sure: [...new Set([askedTier ?? STANDARD, STANDARD])], other: [] };
  return { sure: [STANDARD], other: Object.keys(price.serviceTiers ?? {}).filter((tier) => tier !== BATCH) };
}

/**
 * The most that such a call can cost. Every case with a higher rate is assumed to happen: the prompt is written to or read
 * from the cache, the answer is all reasoning or audio.
 *
 * @param askedTier as in the request; the most expensive tier that may serve it counts
 * @returns null if the price lacks a rate that the call needs
 */
export function highestCost(usage: HighestUsage, price: Price, askedTier: string | null): DecimalText | null {
  const inputTokens = usage.inputTokens;
  const plain: Usage = {
    ...plainUsage(inputTokens, usage.outputTokens, 'ESTIMATED'),
    inputAudioTokens: usage.audioTokens,
  };
  const text = inputTokens - usage.audioTokens;
  const inputs: Partial<Usage>[] = [{}];
  if (mayCostMore(price, 'cacheWrite', 'input')) inputs.push({ cacheWriteTokens: text });
  if (mayCostMore(price, 'cachedInput', 'input')) inputs.push({ cachedInputTokens: text });
  const outputs: Partial<Usage>[] = [{}];
  if (mayCostMore(price, 'reasoning', 'output')) outputs.push({ reasoningTokens: usage.outputTokens });
  if (usage.audioOutput) outputs.push({ outputAudioTokens: usage.outputTokens });
  const usages = inputs.flatMap((input) => outputs.map((output) => ({ ...plain, ...input, ...output })));
  const costsIn = (tier: string) => usages.map((each) => calculateCost(each, price, tier, usage.tools));
  const { sure, other } = tiersOf(askedTier, price);
  const costs = sure.flatMap(costsIn);
  if (costs.some(({ status }) => status === 'UNPRICED')) return null;
  // A tier without a price is not billed either.
  const amounts = [...costs, ...other.flatMap(costsIn)].flatMap((cost) =>
    cost.status === 'PRICED' ? [new Big(cost.amount)] : [],
  );
  return amounts.reduce((highest, amount) => (amount.gt(highest) ? amount : highest)).toFixed();
}

/**
 * The least that a call with this much input can cost: no output, and all input at the lowest rate for text, usually the
 * cached one.
 *
 * @returns null if the price has no rates for the tier
 */
export function lowestCost(inputTokens: number, price: Price, askedTier: string | null): DecimalText | null {
  const plain = plainUsage(inputTokens, 0, 'ESTIMATED');
  const { sure, other } = tiersOf(askedTier, price);
  if (sure.some((tier) => calculateCost(plain, price, tier).status === 'UNPRICED')) return null;
  const costs = [{}, { cachedInputTokens: inputTokens }, { cacheWriteTokens: inputTokens }]
    .flatMap((kind) => [...sure, ...other].map((tier) => calculateCost({ ...plain, ...kind }, price, tier)))
    .flatMap((cost) => (cost.status === 'PRICED' ? [new Big(cost.amount)] : []));
  const [first, ...others] = costs;
  return first === undefined
    ? null
    : others.reduce((least, cost) => (cost.lt(least) ? cost : least), first).toFixed();
}

/** Whether a component costs more in any tier. Assuming too much is harmless: a rate that does not apply changes nothing. */
function mayCostMore(price: Price, component: keyof PriceComponents, than: 'input' | 'output'): boolean {
  const costsMore = (components: PriceComponents) => Number(components[component]) > Number(components[than]);
  const all = [price, ...Object.values(price.serviceTiers ?? {})];
  return all.some(
    ({ components, tiers }) => costsMore(components) || tiers?.some((tier) => costsMore(tier.components)),
  );
}
