import type { Price } from '../../domain/cost/price.ts';
import { InvalidCatalogFile, readPriceFile } from '../files/catalog-file.ts';
import type { PriceEntry } from '../files/price-file.ts';
import type { PriceStore, PriceVersion } from '../stores.ts';
import type { PriceImport } from './import-prices.ts';
import { findPrice, priceAt, priceTimelines } from './versions/find-price.ts';
import { liveVersions } from './versions/live-versions.ts';
import { planPriceVersions } from './versions/plan-price-versions.ts';
import { compareFigures } from './versions/price-figures.ts';
import { hashOf, modelName, versionOf } from './versions/price-versions.ts';

/** The changes of a price. Only what is named changes, unless everything is replaced. */
export interface PriceChange {
  readonly provider: string;
  readonly model: string;
  /** Epoch ms. In a correction, null keeps the start of the corrected version. */
  readonly effectiveFrom: number | null;
  /** Epoch ms; null is open. In a correction, null keeps the end of the corrected version. */
  readonly effectiveTo: number | null;
  /** ISO 4217; null keeps it. */
  readonly currency: string | null;
  readonly source: string;
  /** By the names of a price file. */
  readonly components: Readonly<Record<string, string>>;
  /** Keeps nothing: components, tiers and service tiers that are not named are removed. */
  readonly replace: boolean;
  /** The version to correct; null for a new version. */
  readonly corrects: string | null;
}

const DEFAULT_CURRENCY = 'USD';

/**
 * Adds a version of one model's price, made of the price in force and the named changes. A correction replaces the version that
 * it corrects, which stays in the history. If the figures are already in force, no version is added. Concurrent writers see each
 * other's versions.
 *
 * @throws InvalidCatalogFile if the version would not be a valid price; an Error if the version to correct does not exist
 */
export async function changePrice(
  store: PriceStore,
  change: PriceChange,
  dryRun: boolean,
): Promise<PriceImport> {
  const { provider, model } = change;
  for (;;) {
    const all = await store.list();
    const { revision, versions } = await store.history(provider, model);
    const before = change.corrects === null ? inForce(change, all) : versionToCorrect(change, versions);
    const version = changed(change, before);
    const changes = compareFigures(before, version);
    if (before !== null && changes.length === 0 && hasSameTimes(change, before, version))
      return { ...nothing, unchanged: [before.id] };

    const { refused, unchanged } = planPriceVersions(versions, [version]);
    const [first] = refused;
    if (first !== undefined) return { ...nothing, refused: [{ name: version.id, reason: first.reason }] };
    if (unchanged.length > 0) return { ...nothing, unchanged: [version.id] };
    if (dryRun || (await store.append(provider, model, revision, [version]))) {
      const done = before === null ? { added: [version.id] } : { changed: [version.id] };
      return { ...nothing, ...done, differences: [{ name: version.id, changes }] };
    }
  }
}

const nothing: PriceImport = {
  added: [],
  changed: [],
  unchanged: [],
  refused: [],
  differences: [],
  unusedKeys: [],
};

function inForce(
  { provider, model, effectiveFrom }: PriceChange,
  all: readonly PriceVersion[],
): Price | null {
  const timelines = priceTimelines(all);
  const at = effectiveFrom ?? 0;
  const own = timelines.get(`${provider}/${model}`);
  return (own === undefined ? null : priceAt(own, at)) ?? findPrice(timelines, provider, model, at);
}

function versionToCorrect({ corrects }: PriceChange, versions: readonly PriceVersion[]): PriceVersion {
  const found = versions.find(({ id }) => id === corrects);
  if (found === undefined) throw new Error(`there is no version ${corrects}; see: prices list --json`);
  if (liveVersions(versions).includes(found)) return found;
  const by = versions.find(({ supersedes }) => supersedes === corrects);
  throw new Error(`version ${corrects} is already corrected by ${by?.id}: correct that one`);
}

/** A correction may change only times. A new version must change more than its start. */
function hasSameTimes({ corrects, effectiveTo }: PriceChange, before: Price, version: PriceVersion): boolean {
  if (corrects === null) return effectiveTo === null;
  return before.effectiveFrom === version.effectiveFrom && before.effectiveTo === version.effectiveTo;
}

function changed(change: PriceChange, before: Price | null): PriceVersion {
  const { provider, model, source, corrects } = change;
  const name = corrects ?? modelName(change);
  const kept = change.replace ? null : before;
  checkKept(change, kept, name);
  const own = corrects === null ? null : before;
  const iso = (at: number | null) => (at === null ? null : new Date(at).toISOString());
  const entry = {
    provider,
    model,
    currency: change.currency ?? before?.currency ?? DEFAULT_CURRENCY,
    effectiveFrom: iso(change.effectiveFrom ?? own?.effectiveFrom ?? 0),
    effectiveTo: iso(change.effectiveTo ?? own?.effectiveTo ?? null),
    components: { ...kept?.components, ...change.components },
    ...(kept?.tiers && { tiers: kept.tiers }),
    ...(kept?.serviceTiers && { serviceTiers: kept.serviceTiers }),
    ...(kept?.regionalUplift && { regionalUplift: kept.regionalUplift }),
    source,
    ...(corrects === null ? {} : { supersedes: corrects }),
  };
  const file = { name: 'the price', text: JSON.stringify([entry]) };
  const [read] = readPriceFile(file).entries as readonly [PriceEntry];
  return versionOf(read, 0, hashOf(file));
}

function checkKept(change: PriceChange, kept: Price | null, name: string): void {
  const missing = ['input', 'output'].filter((component) => change.components[component] === undefined);
  if (kept === null && missing.length > 0)
    throw new InvalidCatalogFile('the price', [
      change.replace
        ? `a price that replaces all of ${name} needs --${missing.join(' and --')}`
        : `${name} has no price to keep the rest of: set --${missing.join(' and --')} too`,
    ]);
  if (kept !== null && change.currency !== null && change.currency !== kept.currency)
    throw new InvalidCatalogFile('the price', [
      `${name} is priced in ${kept.currency}: kept amounts would become ${change.currency}; replace all of them (--replace)`,
    ]);
}
