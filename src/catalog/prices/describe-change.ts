import { eventId } from '../../contract/event-id.ts';
import type { ModelChange, ModelChangeDetail, ModelChanged } from '../../contract/record-types.ts';
import { isPerCall } from '../../domain/cost/price.ts';
import { type CatalogModel, lifecycleOf, type PriceVersion } from '../stores.ts';

/** What subscribers are told of, in this order. Where the facts are from, and what only the next comparison needs, is not of interest. */
const told = [
  'contextWindow',
  'maxOutputTokens',
  'maxTokensParameter',
  'capabilities',
  'refusedParameters',
  'refusedWhileReasoning',
  'defaultReasoningEffort',
  'aliases',
  'snapshot',
  'shutdownAt',
  'deprecatedAt',
  'removedAt',
] as const satisfies readonly (keyof CatalogModel)[];

/**
 * The one change that leads from what the catalog had to what it has now.
 *
 * @param before null: the model is new
 * @param now epoch ms
 * @returns null when subscribers see no difference
 */
export function describeModelChange(
  before: CatalogModel | null,
  after: CatalogModel,
  now: number,
): ModelChanged | null {
  const details = told.flatMap((property): ModelChangeDetail[] => {
    const [earlier, later] = [before === null ? null : textOf(property, before), textOf(property, after)];
    return earlier === later ? [] : [{ property, before: earlier, after: later }];
  });
  if (before !== null && details.length === 0) return null;
  const change = kindOf(before, after, now);
  return {
    eventId: eventId(after.provider, after.id, change, now),
    provider: after.provider,
    model: after.id,
    change,
    details,
    priceId: null,
    source: after.source,
    occurredAt: now,
  };
}

/**
 * A new version of a price.
 *
 * @param before the version that was in force at its beginning; null when there was none
 * @param now epoch ms
 */
export function describePriceChange(
  before: PriceVersion | null,
  after: PriceVersion,
  now: number,
): ModelChanged {
  const [earlier, later] = [
    before === null ? new Map<string, string>() : amountsOf(before),
    amountsOf(after),
  ];
  const properties = [...new Set([...later.keys(), ...earlier.keys()])];
  return {
    // Several versions may be stored in one instant, so that their own id takes the instant's place.
    eventId: eventId(after.provider, after.model, 'PRICED', after.id),
    provider: after.provider,
    model: after.model,
    change: 'PRICED',
    details: properties.flatMap((property): ModelChangeDetail[] => {
      const detail = {
        property: `price.${property}`,
        before: earlier.get(property) ?? null,
        after: later.get(property) ?? null,
      };
      return detail.before === detail.after ? [] : [detail];
    }),
    priceId: after.id,
    source: after.source,
    occurredAt: now,
  };
}

/** Every amount of a price by its place: `inputPerMillion`, `webSearchPerCall`, `above272000.outputPerMillion`, `flex.inputPerMillion`. */
export function amountsOf(
  price: Pick<PriceVersion, 'components' | 'tiers' | 'serviceTiers' | 'regionalUplift'>,
): Map<string, string> {
  const tiered = [
    { place: '', ...price },
    ...Object.entries(price.serviceTiers ?? {}).map(([name, tier]) => ({ place: `${name}.`, ...tier })),
  ];
  const amounts = tiered.flatMap(({ place, components, tiers = [] }) => [
    ...entriesOf(place, components),
    ...tiers.flatMap((tier) => entriesOf(`${place}above${tier.aboveInputTokens}.`, tier.components)),
  ]);
  const uplifts = Object.entries(price.regionalUplift ?? {}).map(([region, factor]): [string, string] => [
    `regionalUplift.${region}`,
    factor,
  ]);
  return new Map([...amounts, ...uplifts]);
}

function entriesOf(place: string, components: object): [string, string][] {
  return Object.entries(components).map(([name, amount]) => {
    const unit = isPerCall(name) ? 'PerCall' : 'PerMillion';
    return [`${place}${name}${unit}`, String(amount)];
  });
}

function kindOf(before: CatalogModel | null, after: CatalogModel, now: number): ModelChange {
  if (before === null) return 'ADDED';
  const [earlier, later] = [lifecycleOf(before, now), lifecycleOf(after, now)];
  if (later === 'removed' && earlier !== 'removed') return 'REMOVED';
  if (later === 'deprecated' && earlier === 'active') return 'DEPRECATED';
  return 'UPDATED';
}

/** Null: there is nothing to say, which an empty list is too. */
function textOf(property: (typeof told)[number], model: CatalogModel): string | null {
  const value = model[property];
  if (value == null) return null;
  if (typeof value === 'number' && property.endsWith('At')) return new Date(value).toISOString();
  return (typeof value === 'object' ? value.join(',') : String(value)) || null;
}
