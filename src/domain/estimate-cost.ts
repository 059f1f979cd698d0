import { Big } from 'big.js';
import type { Usage } from '../contract/records.ts';
import { calculateCost } from './calculate-cost.ts';
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
}

/**
 * The most that such a call costs: whatever may happen to it at a higher rate (its prompt written to the cache, its
 * answer reasoned or spoken) does.
 *
 * @param askedTier as in the request; the one that serves is not known yet
 * @returns null when the price does not have what it takes
 */
export function highestCost(usage: HighestUsage, price: Price, askedTier: string | null): DecimalText | null {
  const inputTokens = usage.inputTokens;
  const plain: Usage = {
    ...plainUsage(inputTokens, usage.outputTokens, 'ESTIMATED'),
    inputAudioTokens: usage.audioTokens,
  };
  const text = inputTokens - usage.audioTokens;
  const inputs = hasRate(price, 'cacheWrite') ? [{}, { cacheWriteTokens: text }] : [{}];
  const outputs: Partial<Usage>[] = [{}];
  if (hasRate(price, 'reasoning')) outputs.push({ reasoningTokens: usage.outputTokens });
  if (usage.audioOutput) outputs.push({ outputAudioTokens: usage.outputTokens });
  const costs = inputs.flatMap((input) =>
    outputs.map((output) => calculateCost({ ...plain, ...input, ...output }, price, askedTier)),
  );
  let highest: Big | null = null;
  for (const cost of costs) {
    if (cost.status === 'UNPRICED') return null;
    const amount = new Big(cost.amount);
    if (highest === null || amount.gt(highest)) highest = amount;
  }
  return highest?.toFixed() ?? null;
}

/**
 * The least that a call with so much input costs: all of it from the cache, and no answer.
 *
 * @returns null when the price has no rates for the tier
 */
export function lowestCost(inputTokens: number, price: Price, askedTier: string | null): DecimalText | null {
  const plain = plainUsage(inputTokens, 0, 'ESTIMATED');
  const costs = [plain, { ...plain, cachedInputTokens: inputTokens }]
    .map((usage) => calculateCost(usage, price, askedTier))
    .flatMap((cost) => (cost.status === 'PRICED' ? [new Big(cost.amount)] : []));
  const [first, ...others] = costs;
  return first === undefined
    ? null
    : others.reduce((least, cost) => (cost.lt(least) ? cost : least), first).toFixed();
}

/** Of any tier: looked for where it may be, since a rate that does not apply changes nothing. */
function hasRate(price: Price, component: keyof PriceComponents): boolean {
  const all = [price, ...Object.values(price.serviceTiers ?? {})];
  return all.some(
    ({ components, tiers }) =>
      components[component] !== undefined || tiers?.some((tier) => tier.components[component] !== undefined),
  );
}
