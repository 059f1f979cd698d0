import { Big } from 'big.js';
import {
  type DecimalText,
  isPerCall,
  type Price,
  type PriceComponents,
  type TieredComponents,
} from './price.ts';

/**
 * A price as it applies in a region: token prices times the region's uplift, fees unchanged. A price without uplifts is the
 * same everywhere.
 *
 * @param region of the endpoint that is called; null if it is in no region
 * @returns null if other regions have an uplift and this one's is unknown: it is not guessed
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

/** Decimals of a price per million tokens, so that cost events can hold the amounts. */
const PRICE_DECIMALS = 6;

/** Whether every token price stays exact in every region. An amount must not have more decimals than cost events hold. */
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
