import { type CatalogFile, InvalidCatalogFile, readPriceFile } from '../files/catalog-file.ts';
import type { PriceEntry, PriceFile } from '../files/price-file.ts';
import type { PriceStore, PriceVersion } from '../stores.ts';
import type { ImportSummary } from './import-summary.ts';
import { planImport, type WantedVersion } from './plan-import.ts';
import { findPrice, type PriceTimelines, priceAt, priceTimelines } from './versions/find-price.ts';
import type { PricePlan } from './versions/plan-price-versions.ts';
import { compareFigures, type FigureChange, type PriceFigures } from './versions/price-figures.ts';
import { hashOf, modelName, SINCE_EVER, versionOf } from './versions/price-versions.ts';

export interface PriceImportOptions {
  /** Only reports what would be done. */
  readonly dryRun?: boolean;
  /**
   * Since when prices without a date apply, epoch ms. Default: now. Default for a model without any price: the start of time, so
   * that calls which were sent before the price was known can be priced.
   */
  readonly effectiveFrom?: number;
  /** Epoch ms. */
  readonly now?: number;
  /**
   * The file is a later edition of one that was imported before: an entry that begins with a version of the same source, and has
   * other figures, supersedes it. Default: such an entry is refused.
   */
  readonly isNewEdition?: boolean;
}

/** What an import of prices did, or what a dry run would do. */
export interface PriceImport extends ImportSummary {
  /** For each added or changed version, the difference from the price that it replaces. */
  readonly differences: readonly { readonly name: string; readonly changes: readonly FigureChange[] }[];
  /** Members of models that no price was read from, and how many models of the file have them. */
  readonly unusedKeys: PriceFile['unusedKeys'];
}

/**
 * Adds the prices of a file as new versions. Known prices stay. A version that would overwrite or overlap a known one is refused
 * by name, while the rest is imported. Concurrent imports see each other's versions.
 *
 * @throws InvalidCatalogFile with every problem at once; then nothing was imported
 */
export async function importPrices(
  store: PriceStore,
  file: CatalogFile,
  { dryRun = false, effectiveFrom, now = Date.now(), isNewEdition = false }: PriceImportOptions = {},
): Promise<PriceImport> {
  const { entries, unpriced, unusedKeys } = readPriceFile(file);
  if (effectiveFrom !== undefined && entries.some((entry) => entry.effectiveFrom !== null))
    throw new InvalidCatalogFile(file.name, ['its prices have their own dates: leave out the other date']);
  const known = await store.list();
  const timelines = priceTimelines(known);
  const knownByModel = Map.groupBy(known, modelName);

  const sourceHash = hashOf(file);
  const since = (entry: PriceEntry) => effectiveFrom ?? (hasPrice(timelines, entry, now) ? now : SINCE_EVER);
  const wanted = entries.map((entry) => ({
    version: versionOf(entry, since(entry), sourceHash),
    isDated: entry.effectiveFrom !== null,
  }));

  const summary = { added: [] as string[], changed: [] as string[], unchanged: [] as string[] };
  const refused = [...unpriced];
  const differences: { name: string; changes: FigureChange[] }[] = [];
  for (const [name, ofModel] of Map.groupBy(wanted, ({ version }) => modelName(version))) {
    const { plan, before } = await importHistory(store, knownByModel.get(name) ?? [], ofModel, {
      dryRun,
      isNewEdition,
    });
    summary[before.length === 0 ? 'added' : 'changed'].push(...plan.append.map(({ id }) => id));
    summary.unchanged.push(...plan.unchanged.map(({ id }) => id));
    refused.push(...plan.refused.map(({ version, reason }) => ({ name: version.id, reason })));
    for (const version of plan.append) {
      const others = plan.append.filter((other) => other !== version);
      const corrected = [...before, ...others].find(({ id }) => id === version.supersedes);
      const earlier = corrected ?? takenOver(version, [...before, ...others], timelines);
      differences.push({ name: version.id, changes: compareFigures(earlier, version) });
    }
  }
  return { ...summary, refused, differences, unusedKeys };
}

/** Writes the versions that may join a model's history. If another writer was faster, the history is read again. */
async function importHistory(
  store: PriceStore,
  known: readonly PriceVersion[],
  wanted: readonly WantedVersion[],
  { dryRun, isNewEdition }: { readonly dryRun: boolean; readonly isNewEdition: boolean },
): Promise<{ plan: PricePlan; before: readonly PriceVersion[] }> {
  let plan = planImport(known, wanted, isNewEdition);
  const [first] = plan.append;
  if (first === undefined || dryRun) return { plan, before: known };
  for (;;) {
    const { revision, versions: before } = await store.history(first.provider, first.model);
    plan = planImport(before, wanted, isNewEdition);
    if (plan.append.length === 0) return { plan, before };
    if (await store.append(first.provider, first.model, revision, plan.append)) return { plan, before };
  }
}

/** The price that a new version replaces: the model's own price at that instant, or its base model's. */
function takenOver(
  version: PriceVersion,
  others: readonly PriceVersion[],
  timelines: PriceTimelines,
): PriceFigures | null {
  const { provider, model, effectiveFrom } = version;
  const own = priceTimelines(others).get(modelName(version));
  return (
    (own === undefined ? null : priceAt(own, effectiveFrom)) ??
    findPrice(timelines, provider, model, effectiveFrom)
  );
}

function hasPrice(timelines: PriceTimelines, { provider, model }: PriceEntry, at: number): boolean {
  return timelines.has(`${provider}/${model}`) || findPrice(timelines, provider, model, at) !== null;
}
