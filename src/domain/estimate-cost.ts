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
 * The most that such a call costs: whatever may happen to it at a higher rate (its prompt written to or
 * read from the cache, its answer reasoned or spoken) does.
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
  const inputs: Partial<Usage>[] = [{}];
  if (mayCostMore(price, 'cacheWrite', 'input')) inputs.push({ cacheWriteTokens: text });
  if (mayCostMore(price, 'cachedInput', 'input')) inputs.push({ cachedInputTokens: text });
  const outputs: Partial<Usage>[] = [{}];
  if (mayCostMore(price, 'reasoning', 'output')) outputs.push({ reasoningTokens: usage.outputTokens });
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
 * The least that a call with so much input costs: all of it at the lowest rate that text may have (from the cache,
 * as a rule), and no answer.
 *
 * @returns null when the price has no rates for the tier
 */
export function lowestCost(inputTokens: number, price: Price, askedTier: string | null): DecimalText | null {
  const plain = plainUsage(inputTokens, 0, 'ESTIMATED');
  const costs = [{}, { cachedInputTokens: inputTokens }, { cacheWriteTokens: inputTokens }]
    .map((kind) => calculateCost({ ...plain, ...kind }, price, askedTier))
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
