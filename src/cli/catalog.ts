import { createModelStore, createPriceStore } from '../adapters/mongo/catalog-store.ts';
import type { CatalogFile } from '../catalog/catalog-file.ts';
import { importModels } from '../catalog/import-models.ts';
import { importPrices } from '../catalog/import-prices.ts';
import type { ImportSummary } from '../catalog/import-summary.ts';
import { shippedModels, shippedPrices } from '../catalog/shipped-catalog.ts';
import type { ModelStore, PriceStore } from '../catalog/stores.ts';
import type { Tool } from './tool.ts';
import { withDatabase } from './with-database.ts';

/** `models import [FILE]` */
export async function importModelFile(tool: Tool, path: string | undefined): Promise<void> {
  const file = path === undefined ? shippedModels : readCatalogFile(tool, path);
  await withStores(tool, async ({ models }) => tool.print(describe(await importModels(models, file))));
}

/** `prices import [FILE] [--dry-run]` */
export async function importPriceFile(tool: Tool, path: string | undefined, dryRun: boolean): Promise<void> {
  const file = path === undefined ? shippedPrices : readCatalogFile(tool, path);
  await withStores(tool, async ({ prices }) =>
    tool.print(describe(await importPrices(prices, file, { dryRun }))),
  );
}

/** `prices list [MODEL]` */
export async function listPrices(tool: Tool, model: string | undefined): Promise<void> {
  await withStores(tool, async ({ models, prices }) => {
    const known = await models.list();
    const wanted = model === undefined ? known : known.filter(({ id }) => id === model);
    for (const { provider, id } of wanted) {
      for (const version of (await prices.history(provider, id)).versions) {
        const since = new Date(version.effectiveFrom).toISOString();
        const { input, output } = version.components;
        tool.print(
          `${provider}/${id}\tsince ${since}\tinput ${input}\toutput ${output}\t${version.currency} per million\n`,
        );
      }
    }
  });
}

function readCatalogFile({ readFile }: Tool, path: string): CatalogFile {
  return { name: path, text: readFile(path) };
}

async function withStores(
  tool: Tool,
  work: (stores: { models: ModelStore; prices: PriceStore }) => Promise<void>,
): Promise<void> {
  await withDatabase(tool, (db) => work({ models: createModelStore(db), prices: createPriceStore(db) }));
}

function describe({ added, changed, unchanged, refused }: ImportSummary): string {
  const counts = `${added.length} added, ${changed.length} changed, ${unchanged.length} unchanged, ${refused.length} refused\n`;
  return counts + refused.map(({ name, reason }) => `  refused ${name}: ${reason}\n`).join('');
}
