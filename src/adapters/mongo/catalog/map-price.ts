import { Big } from 'big.js';
import { Decimal128 } from 'mongodb';
import type { PriceVersion } from '../../../catalog/stores.ts';
import type { PriceComponents, PriceTier, TieredComponents } from '../../../domain/cost/price.ts';

type ComponentsRow = { readonly [Name in keyof PriceComponents]: Decimal128 };
type TierRow = Omit<PriceTier, 'components'> & { readonly components: ComponentsRow };
type TieredRow = { readonly components: ComponentsRow; readonly tiers?: readonly TierRow[] };

/** One document of `prices`. */
export interface PriceRow extends TieredRow {
  /** The price's id. */
  readonly _id: string;
  readonly provider: string;
  readonly model: string;
  readonly currency: string;
  readonly effectiveFrom: Date;
  /** As given: null ends where the next version begins. */
  readonly effectiveTo: Date | null;
  /** A list, since the names are the provider's. */
  readonly serviceTiers?: readonly (TieredRow & { readonly name: string })[];
  /** A list, since the names are the provider's. */
  readonly regionalUplift?: readonly { readonly region: string; readonly factor: Decimal128 }[];
  readonly source: string;
  readonly sourceHash: string;
  /** Id of the version that it corrects. */
  readonly supersedes?: string;
}

export function priceRow({ id, effectiveFrom, effectiveTo, serviceTiers, ...price }: PriceVersion): PriceRow {
  return {
    _id: id,
    provider: price.provider,
    model: price.model,
    currency: price.currency,
    effectiveFrom: new Date(effectiveFrom),
    effectiveTo: effectiveTo === null ? null : new Date(effectiveTo),
    ...tieredRow(price),
    ...(serviceTiers && {
      serviceTiers: Object.entries(serviceTiers).map(([name, tiered]) => ({ name, ...tieredRow(tiered) })),
    }),
    ...(price.regionalUplift && {
      regionalUplift: Object.entries(price.regionalUplift).map(([region, factor]) => ({
        region,
        factor: Decimal128.fromString(factor),
      })),
    }),
    source: price.source,
    sourceHash: price.sourceHash,
    ...(price.supersedes !== undefined && { supersedes: price.supersedes }),
  };
}

export function priceVersion({
  _id,
  effectiveFrom,
  effectiveTo,
  serviceTiers,
  ...row
}: PriceRow): PriceVersion {
  return {
    id: _id,
    provider: row.provider,
    model: row.model,
    currency: row.currency,
    effectiveFrom: effectiveFrom.getTime(),
    effectiveTo: effectiveTo === null ? null : effectiveTo.getTime(),
    ...tieredComponents(row),
    ...(serviceTiers && {
      serviceTiers: Object.fromEntries(
        serviceTiers.map(({ name, ...tiered }) => [name, tieredComponents(tiered)]),
      ),
    }),
    ...(row.regionalUplift && {
      regionalUplift: Object.fromEntries(
        row.regionalUplift.map(({ region, factor }) => [region, decimalText(factor)]),
      ),
    }),
    source: row.source,
    sourceHash: row.sourceHash,
    ...(row.supersedes !== undefined && { supersedes: row.supersedes }),
  };
}

function tieredRow({ components, tiers }: TieredComponents): TieredRow {
  return {
    components: mapValues(components, Decimal128.fromString),
    ...(tiers && {
      tiers: tiers.map((tier) => ({
        ...tier,
        components: mapValues(tier.components, Decimal128.fromString),
      })),
    }),
  };
}

function tieredComponents({ components, tiers }: TieredRow): TieredComponents {
  return {
    components: mapValues(components, decimalText),
    ...(tiers && {
      tiers: tiers.map((tier) => ({ ...tier, components: mapValues(tier.components, decimalText) })),
    }),
  };
}

/** The driver writes small numbers with an exponent. */
function decimalText(value: Decimal128): string {
  const text = value.toString();
  return text.includes('E') ? new Big(text).toFixed() : text;
}

function mapValues<Key extends string, From, To>(
  values: Readonly<Record<Key, From>> | Readonly<Partial<Record<Key, From>>>,
  map: (value: From) => To,
): Record<Key, To> {
  const entries = Object.entries<From>(values as Record<Key, From>);
  return Object.fromEntries(entries.map(([key, value]) => [key, map(value)])) as Record<Key, To>;
}
