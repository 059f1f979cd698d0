import { Big } from 'big.js';
import type { Usage } from '../../contract/record-types.ts';
import { calculateCost, type ToolUses } from './calculate-cost.ts';
import type { DecimalText, Price, PriceComponents } from './price.ts';
import { plainUsage } from './usage.ts';

/** What a call is expected to use at most. */
export interface HighestUsage {
  readonly inputTokens: number;
  /** Those of the input that are audio. */
  readonly audioTokens: number;
  /** All choices together. */
  readonly outputTokens: number;
  /** Whether the answer may be spoken. */
  readonly audioOutput: boolean;
  /** Calls of the provider's tools, as far as they are known before. */
  readonly tools?: ToolUses;
}

const STANDARD = 'default';
/** Served to batches alone, never to a call. */
const BATCH = 'batch';

/**
 * The tiers that may serve what was asked for: a tier that is short of capacity is answered at the standard rate, and `auto`
 * leaves the choice to the provider. A request that names none is served at the standard rate.
 */
function tiersOf(
  askedTier: string | null,
  price: Price,
): { sure: readonly string[]; other: readonly string[] } {
  if (askedTier !== 'auto') return { sure: [...new Set([askedTier ?? STANDARD, STANDARD])], other: [] };
  return { sure: [STANDARD], other: Object.keys(price.serviceTiers ?? {}).filter((tier) => tier !== BATCH) };
}

/**
 * The most that such a call costs: whatever may happen to it at a higher rate (its prompt written to or
 * read from the cache, its answer reasoned or spoken) does.
 *
 * @param askedTier as in the request; of the tiers that may serve it, the dearest counts
 * @returns null when the price does not have what it takes
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
  // What it costs in a tier that lacks a price is not billed either.
  const amounts = [...costs, ...other.flatMap(costsIn)].flatMap((cost) =>
    cost.status === 'PRICED' ? [new Big(cost.amount)] : [],
  );
  return amounts.reduce((highest, amount) => (amount.gt(highest) ? amount : highest)).toFixed();
}

/**
 * The least that a call with so much input costs: all of it at the lowest rate that text may have (from the cache,
 * as a rule), and no answer.
 *
 * @returns null when the price has no rates for the tier
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

/** In any tier: looked for where it may be, since a rate that does not apply changes nothing. */
function mayCostMore(price: Price, component: keyof PriceComponents, than: 'input' | 'output'): boolean {
  const costsMore = (components: PriceComponents) => Number(components[component]) > Number(components[than]);
  const all = [price, ...Object.values(price.serviceTiers ?? {})];
  return all.some(
    ({ components, tiers }) => costsMore(components) || tiers?.some((tier) => costsMore(tier.components)),
  );
}
