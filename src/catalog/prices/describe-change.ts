import { eventId } from '../../contract/event-id.ts';
import type { ModelChange, ModelChangeDetail, ModelChanged } from '../../contract/record-types.ts';
import { isPerCall } from '../../domain/cost/price.ts';
import { type CatalogModel, lifecycleOf, type PriceVersion } from '../stores.ts';

/** The properties that subscribers see, in this order. The source of facts and the state of comparisons are internal. */
const announcedProperties = [
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
 * The one change from the catalog's old entry to its new one.
 *
 * @param before null: the model is new
 * @param now epoch ms
 * @returns null if subscribers see no difference
 */
export function describeModelChange(
  before: CatalogModel | null,
  after: CatalogModel,
  now: number,
): ModelChanged | null {
  const details = announcedProperties.flatMap((property): ModelChangeDetail[] => {
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
 * @param before the version in force at its start; null if no version was
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
    // Several versions may be stored in the same instant, so the event id uses the version's id.
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

/** Null if there is nothing to report, as for an empty list. */
function textOf(property: (typeof announcedProperties)[number], model: CatalogModel): string | null {
  const value = model[property];
  if (value == null) return null;
  if (typeof value === 'number' && property.endsWith('At')) return new Date(value).toISOString();
  return (typeof value === 'object' ? value.join(',') : String(value)) || null;
}
