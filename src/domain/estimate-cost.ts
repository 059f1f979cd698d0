import { Big } from 'big.js';
import type { Usage } from '../contract/records.ts';
import { calculateCost } from './calculate-cost.ts';
import type { DecimalText, Price } from './price.ts';
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
 * The most that such a call costs: whatever may happen to it at a higher rate (its prompt written to the cache or read from it,
 * its answer reasoned or spoken) does.
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
  const { ofInput, ofOutput } = dearerKinds(price);
  const inputs = [{}, ...ofInput.map((kind) => ({ [kind]: text }))];
  const outputs = [{}, ...ofOutput.map((kind) => ({ [kind]: usage.outputTokens }))];
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

interface DearerKinds {
  readonly ofInput: readonly ('cacheWriteTokens' | 'cachedInputTokens')[];
  readonly ofOutput: readonly 'reasoningTokens'[];
}

const known = new WeakMap<Price, DearerKinds>();

/** What may cost more than plain input or output, in any tier; found out once per price. */
function dearerKinds(price: Price): DearerKinds {
  const before = known.get(price);
  if (before !== undefined) return before;
  const kinds: DearerKinds = {
    ofInput: [
      ...(isDearer(price, 'cacheWrite', 'input') ? (['cacheWriteTokens'] as const) : []),
      ...(isDearer(price, 'cachedInput', 'input') ? (['cachedInputTokens'] as const) : []),
    ],
    ofOutput: isDearer(price, 'reasoning', 'output') ? ['reasoningTokens'] : [],
  };
  known.set(price, kinds);
  return kinds;
}

function isDearer(
  price: Price,
  kind: 'cacheWrite' | 'cachedInput' | 'reasoning',
  plain: 'input' | 'output',
): boolean {
  const all = [price, ...Object.values(price.serviceTiers ?? {})];
  const rates = all.flatMap(({ components, tiers = [] }) => [
    components,
    ...tiers.map((tier) => tier.components),
  ]);
  return rates.some((components) => {
    const rate = components[kind];
    return rate !== undefined && new Big(rate).gt(components[plain]);
  });
}
