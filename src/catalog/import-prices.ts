import { createHash } from 'node:crypto';
import { type CatalogFile, type PriceEntry, readPriceFile } from './catalog-file.ts';
import type { ImportSummary } from './import-summary.ts';
import { type PricePlan, planPriceVersions } from './plan-price-versions.ts';
import type { PriceStore, PriceVersion } from './stores.ts';

/**
 * Adds the prices of a file as new versions. What is known already is left alone, what would overwrite or overlap a known
 * version is refused by name while the rest goes in. Concurrent imports see each other's versions.
 *
 * @param options.dryRun only tells what would be done
 * @throws InvalidCatalogFile with every problem at once; then nothing was imported
 */
export async function importPrices(
  store: PriceStore,
  file: CatalogFile,
  options: { readonly dryRun?: boolean } = {},
): Promise<ImportSummary> {
  const sourceHash = createHash('sha256').update(file.text).digest('hex');
  const versions = readPriceFile(file).map((entry) => versionOf(entry, sourceHash));
  const byModel = Map.groupBy(versions, ({ provider, model }) => `${provider}/${model}`);

  const summary = { added: [] as string[], changed: [] as string[], unchanged: [] as string[] };
  const refused: { name: string; reason: string }[] = [];
  // A group is never empty.
  for (const wanted of byModel.values() as Iterable<[PriceVersion, ...PriceVersion[]]>) {
    const { plan, isNew } = await importHistory(store, wanted, options.dryRun ?? false);
    summary[isNew ? 'added' : 'changed'].push(...plan.append.map(({ id }) => id));
    summary.unchanged.push(...plan.unchanged.map(({ id }) => id));
    refused.push(...plan.refused.map(({ version, reason }) => ({ name: version.id, reason })));
  }
  return { ...summary, refused };
}

async function importHistory(
  store: PriceStore,
  wanted: readonly [PriceVersion, ...PriceVersion[]],
  dryRun: boolean,
): Promise<{ plan: PricePlan; isNew: boolean }> {
  const { provider, model } = wanted[0];
  for (;;) {
    const { revision, versions } = await store.history(provider, model);
    const plan = planPriceVersions(versions, wanted);
    const isDone =
      dryRun || plan.append.length === 0 || (await store.append(provider, model, revision, plan.append));
    if (isDone) return { plan, isNew: versions.length === 0 };
  }
}

function versionOf(entry: PriceEntry, sourceHash: string): PriceVersion {
  const id = `${entry.provider}/${entry.model}@${new Date(entry.effectiveFrom).toISOString()}`;
  return { id, ...entry, sourceHash };
}
