import { Big } from 'big.js';
import {
  type Price,
  type PriceComponents,
  type PriceTier,
  type TieredComponents,
  tokenComponents,
} from '../../domain/cost/price.ts';
import { isExactInRegions } from '../../domain/cost/regional-price.ts';
import { type PricedRange, readTieredPricing, unreadableFees } from './litellm-fees.ts';
import { isObject, type LiteLlmObject, type LiteLlmValue } from './litellm-values.ts';

/** The standard rate with its tiers, the rates of service tiers, and the uplifts of regions. */
export type ModelRates = TieredComponents & Pick<Price, 'serviceTiers' | 'regionalUplift'>;

export interface ReadComponents {
  /** The members that prices were read from. */
  readonly usedKeys: ReadonlySet<string>;
  /** The rates, or why there is no exact price. */
  readonly result: ModelRates | { readonly reason: string };
}

type ComponentName = keyof PriceComponents;
type Amounts = { readonly [Name in ComponentName]?: string };

/** Finer prices could make amounts that cost events cannot hold. A price file of our own has the same limit. */
const perMillion = { factor: 1_000_000, form: /^\d{1,9}(\.\d{1,6})?$/ };
const perCall = { factor: 1, form: /^\d{1,9}(\.\d{1,12})?$/ };
const perThousandCalls = { ...perCall, factor: '0.001' };

const LARGEST_EXPONENT = 30;

/** Dollars per token by LiteLLM's names. Two of them are names for the same price. */
const tokenKeys: Readonly<Record<string, ComponentName>> = {
  input_cost_per_token: 'input',
  output_cost_per_token: 'output',
  cache_read_input_token_cost: 'cachedInput',
  input_cost_per_token_cache_hit: 'cachedInput',
  cache_creation_input_token_cost: 'cacheWrite',
  input_cost_per_audio_token: 'inputAudio',
  output_cost_per_audio_token: 'outputAudio',
  input_cost_per_image_token: 'inputImage',
  output_cost_per_reasoning_token: 'reasoning',
};

/** `_above_272k_tokens` is a price tier, `_flex` a service tier; `_above_12hr` (how long a cache lives) is neither. */
const keyPattern = new RegExp(
  `^(?<base>${Object.keys(tokenKeys).join('|')})(?:_above_(?<thousands>\\d{1,9})k_tokens)?(?:_(?<suffix>flex|priority|batches))?$`,
);

/** Prices under one service tier (empty: the standard rate) above a number of tokens (0: from the first). */
interface Group {
  readonly tier: string;
  readonly threshold: number;
  readonly keys: string[];
  readonly amounts: { [Name in ComponentName]?: string };
}

/** Reads the prices of a model from its members in LiteLLM's file. Nothing is rounded: a price that is too fine is refused. */
export function readComponents(members: LiteLlmObject): ReadComponents {
  const reasons: string[] = [];
  if ('off_peak_pricing' in members)
    reasons.push('its price depends on the hour (off_peak_pricing), which a price version cannot express');
  const ranges = readTieredPricing(members, reasons);
  const groups = ranges === null ? readGroups(members, reasons) : groupsOfRanges(ranges, members, reasons);
  const fees = readToolFees(members, reasons);
  const uplift = readUplift(members, reasons);
  reasons.push(...unreadableFees(members));

  const tiers = [...Map.groupBy(groups, ({ tier }) => tier)];
  const complete = tiers.filter(([, ofTier]) => ofTier.every(isComplete) && ofTier.some(isFromFirst));
  const base = groups.find((group) => group.tier === '' && isFromFirst(group))?.amounts ?? {};
  const rates = new Map(complete.map(([tier, ofTier]) => [tier, assemble(ofTier, base)]));
  const standard = rates.get('');
  if (standard === undefined)
    reasons.push(
      'it has no price per token for both input and output, or lacks one of them above a number of tokens',
    );
  const usedKeys = new Set([
    ...complete.flatMap(([, ofTier]) => ofTier.flatMap(({ keys }) => keys)),
    ...fees.keys,
    ...uplift.keys,
    ...(ranges === null ? [] : ['tiered_pricing']),
  ]);
  if (standard === undefined || reasons.length > 0)
    return { usedKeys, result: { reason: reasons.join('; ') } };

  rates.delete('');
  const components = { ...standard.components, ...fees.amounts };
  const serviceTiers = rates.size === 0 ? {} : { serviceTiers: Object.fromEntries(rates) };
  const regions = uplift.keys.length === 0 ? {} : { regionalUplift: uplift.factors };
  const result = { ...standard, components, ...serviceTiers, ...regions };
  if (isExactInRegions(result)) return { usedKeys, result };
  return { usedKeys, result: { reason: 'in a region it has more than 6 decimals per million tokens' } };
}

/** Converts prices by ranges of input to our tiers: above the end of a range, the whole call has the next range's price. */
function groupsOfRanges(ranges: readonly PricedRange[], members: LiteLlmObject, reasons: string[]): Group[] {
  const others = readGroups(members, reasons);
  const ofStandard = ranges.flatMap(({ aboveInputTokens, members: ofRange }) =>
    readGroups(ofRange, reasons).map((group) => ({ ...group, threshold: aboveInputTokens, keys: [] })),
  );
  if (
    ofStandard.some(({ tier }) => tier !== '') ||
    new Set(ofStandard.map(({ threshold }) => threshold)).size !== ofStandard.length
  )
    reasons.push('tiered_pricing has prices of service tiers or thresholds within its ranges');
  const [first] = ofStandard;
  for (const { tier, threshold, amounts } of others) {
    const isSame =
      tier === '' &&
      threshold === 0 &&
      Object.entries(amounts).every(([name, amount]) => first?.amounts[name as ComponentName] === amount);
    if (!isSame)
      reasons.push('it has prices per token beside tiered_pricing that are not those of its first range');
  }
  return ofStandard;
}

function readGroups(members: LiteLlmObject, reasons: string[]): Group[] {
  const groups = new Map<string, Group>();
  for (const [key, value] of Object.entries(members)) {
    const { base = '', thousands = '0', suffix = '' } = keyPattern.exec(key)?.groups ?? {};
    const component = tokenKeys[base];
    if (component === undefined) continue;
    const amount = exactPrice(value, perMillion);
    if (amount === null) {
      reasons.push(`${key} is not a price of at most 6 decimals per million tokens`);
      continue;
    }
    const tier = suffix === 'batches' ? 'batch' : suffix;
    const name = `${tier}/${thousands}`;
    const group = groups.get(name) ?? { tier, threshold: Number(thousands) * 1_000, keys: [], amounts: {} };
    const other = group.amounts[component];
    if (other !== undefined && other !== amount)
      reasons.push(`${key} is ${amount} per million tokens, but another key has ${other}`);
    group.amounts[component] = amount;
    group.keys.push(key);
    groups.set(name, group);
  }
  return [...groups.values()];
}

/** Fees for the provider's tools, the same in every service tier. Sizes that cost the same as medium get no fee of their own. */
function readToolFees(
  members: LiteLlmObject,
  reasons: string[],
): { readonly keys: readonly string[]; readonly amounts: Amounts } {
  const keys: string[] = [];
  const read = (key: string, value: LiteLlmValue | undefined, unit: PriceUnit) => {
    if (value === undefined) return undefined;
    keys.push(key);
    const amount = exactPrice(value, unit);
    if (amount === null) reasons.push(`${key} is not a price of at most 12 decimals per call`);
    return amount ?? undefined;
  };
  const bySize = members['search_context_cost_per_query'];
  const search = (size: string) =>
    read(
      'search_context_cost_per_query',
      isObject(bySize) ? bySize[`search_context_size_${size}`] : bySize,
      perCall,
    );
  const webSearch = search('medium');
  const [webSearchLow, webSearchHigh] = [search('low'), search('high')].map((fee) =>
    fee === webSearch ? undefined : fee,
  );
  const fileSearch = read(
    'file_search_cost_per_1k_calls',
    members['file_search_cost_per_1k_calls'],
    perThousandCalls,
  );
  const perRequest = ['input_cost_per_request', 'output_cost_per_request'].flatMap(
    (key) => read(key, members[key], perCall) ?? [],
  );
  const sum = perRequest.reduce((total, fee) => total.plus(fee), new Big(0));
  const request = sum.gt(0) ? sum.toFixed() : undefined;
  const fees = { webSearch, webSearchLow, webSearchHigh, fileSearch, request };
  return { keys, amounts: Object.fromEntries(Object.entries(fees).filter(([, fee]) => fee !== undefined)) };
}

const upliftKey = /^regional_processing_uplift_multiplier_(?<region>[a-z]{2,8})$/;
const multiplier = { factor: 1, form: /^\d{1,3}(\.\d{1,6})?$/ };

function readUplift(
  members: LiteLlmObject,
  reasons: string[],
): { readonly keys: readonly string[]; readonly factors: Readonly<Record<string, string>> } {
  const found = Object.entries(members).flatMap(([key, value]) => {
    const region = upliftKey.exec(key)?.groups?.['region'];
    if (region === undefined) return [];
    const factor = exactPrice(value, multiplier);
    if (factor === null) reasons.push(`${key} is not a factor of at most 6 decimals`);
    return [{ key, region, factor: factor ?? '1' }];
  });
  return {
    keys: found.map(({ key }) => key),
    factors: Object.fromEntries(found.map(({ region, factor }) => [region, factor])),
  };
}

function isComplete({ amounts: { input, output } }: Group): boolean {
  return input !== undefined && output !== undefined;
}

function isFromFirst({ threshold }: Group): boolean {
  return threshold === 0;
}

/** What a component without a price of its own costs. */
const costsLike = [
  ['cachedInput', 'input'],
  ['cacheWrite', 'input'],
  ['inputImage', 'input'],
  ['reasoning', 'output'],
] as const;

/**
 * A tier that leaves out a component has LiteLLM's standard price for it. It is added where the tier's price of plain tokens would
 * be cheaper.
 */
function withDearer(amounts: Amounts, base: Amounts): Amounts {
  const dearer = costsLike.flatMap(([name, plain]) => {
    const [own, standard, like] = [amounts[name], base[name], amounts[plain]];
    if (own !== undefined || standard === undefined || like === undefined) return [];
    return new Big(standard).gt(like) ? [[name, standard]] : [];
  });
  return { ...amounts, ...Object.fromEntries(dearer) };
}

/**
 * @param groups of one service tier, all complete
 * @param base the standard rate from the first token
 */
function assemble(groups: readonly Group[], base: Amounts): TieredComponents {
  const inOrder = (amounts: Amounts) =>
    Object.fromEntries(
      tokenComponents.flatMap((name) => (amounts[name] === undefined ? [] : [[name, amounts[name]]])),
    ) as unknown as PriceComponents;
  const tiers: PriceTier[] = groups
    .toSorted((one, other) => one.threshold - other.threshold)
    .map(({ threshold, amounts }) => ({
      aboveInputTokens: threshold,
      components: inOrder(withDearer(amounts, base)),
    }));
  const [first, ...above] = tiers;
  const components = first?.components as PriceComponents;
  return above.length === 0 ? { components } : { components, tiers: above };
}

interface PriceUnit {
  readonly factor: number | string;
  readonly form: RegExp;
}

/** Decimal text without padding. Null if it is not a number, is negative, or has more digits than the form. */
function exactPrice(value: LiteLlmValue, { factor, form }: PriceUnit): string | null {
  // Written out, an unlimited exponent would fill the memory.
  if (!(value instanceof Big) || Math.abs(value.e) > LARGEST_EXPONENT) return null;
  const text = value.times(factor).toFixed();
  return form.test(text) ? text : null;
}
