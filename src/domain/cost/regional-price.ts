import { Big } from 'big.js';
import {
  type DecimalText,
  isPerCall,
  type Price,
  type PriceComponents,
  type TieredComponents,
} from './price.ts';

/**
 * A price as it is in a region: every price of tokens times the region's uplift, fees as they are. A price without uplifts is
 * the same everywhere.
 *
 * @param region of the endpoint that is called; null for one that is in no region
 * @returns null for a region whose uplift is not known although other regions have one: it is not guessed at
 */
export function priceInRegion(price: Price, region: string | null): Price | null {
  const { regionalUplift, ...inNone } = price;
  if (region === null || regionalUplift === undefined) return price;
  const factor = Object.hasOwn(regionalUplift, region) ? regionalUplift[region] : undefined;
  if (factor === undefined) return null;
  return {
    ...inNone,
    ...upliftTiered(price, factor),
    ...(price.serviceTiers && {
      serviceTiers: Object.fromEntries(
        Object.entries(price.serviceTiers).map(([name, tier]) => [name, upliftTiered(tier, factor)]),
      ),
    }),
  };
}

function upliftTiered({ components, tiers }: TieredComponents, factor: DecimalText): TieredComponents {
  const inRegion = upliftAll(components, factor);
  if (tiers === undefined) return { components: inRegion };
  return {
    components: inRegion,
    tiers: tiers.map((tier) => ({ ...tier, components: upliftAll(tier.components, factor) })),
  };
}

function upliftAll(components: PriceComponents, factor: DecimalText): PriceComponents {
  const amounts = Object.entries(components).map(([name, amount]) => [
    name,
    isPerCall(name) ? amount : new Big(amount).times(factor).toFixed(),
  ]);
  return Object.fromEntries(amounts) as PriceComponents;
}

/** Decimals of a price per million tokens that cost events can hold the amounts of. */
const PRICE_DECIMALS = 6;

/** Whether every price of tokens stays exact in every region: an amount must not have more decimals than events hold. */
export function isExactInRegions({
  components,
  tiers = [],
  serviceTiers = {},
  regionalUplift = {},
}: Pick<Price, 'components' | 'tiers' | 'serviceTiers' | 'regionalUplift'>): boolean {
  const tiered = [{ components, tiers }, ...Object.values(serviceTiers)];
  const amounts = tiered
    .flatMap((one) => [one.components, ...(one.tiers ?? []).map((tier) => tier.components)])
    .flatMap((all) => Object.entries(all).filter(([name]) => !isPerCall(name)));
  return Object.values(regionalUplift).every((factor) =>
    amounts.every(([, amount]) => {
      const product = new Big(amount).times(factor);
      return product.round(PRICE_DECIMALS).eq(product);
    }),
  );
}
