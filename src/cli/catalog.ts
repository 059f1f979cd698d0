import { createModelStore, createPriceStore } from '../adapters/mongo/catalog-store.ts';
import { connectDatabase, ensureIndexes } from '../adapters/mongo/database.ts';
import type { CatalogFile } from '../catalog/catalog-file.ts';
import { importModels } from '../catalog/import-models.ts';
import { importPrices } from '../catalog/import-prices.ts';
import type { ImportSummary } from '../catalog/import-summary.ts';
import { shippedModels, shippedPrices } from '../catalog/shipped-catalog.ts';
import type { ModelStore, PriceStore } from '../catalog/stores.ts';
import type { Tool } from './tool.ts';

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

/** `models list` */
export async function listModels(tool: Tool): Promise<void> {
  await withStores(tool, async ({ models }) => {
    for (const { provider, id, contextWindow, maxOutputTokens, capabilities } of await models.list()) {
      const window = contextWindow ?? 'unknown';
      tool.print(
        `${provider}/${id}\tcontext ${window}\toutput ${maxOutputTokens ?? 'unknown'}\t${capabilities.join(',')}\n`,
      );
    }
  });
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
  { config }: Tool,
  work: (stores: { models: ModelStore; prices: PriceStore }) => Promise<void>,
): Promise<void> {
  const { db, close } = await connectDatabase({ ...config.mongo, applicationName: config.kafka.clientId });
  try {
    await ensureIndexes(db);
    await work({ models: createModelStore(db), prices: createPriceStore(db) });
  } finally {
    await close();
  }
}

function describe({ added, changed, unchanged, refused }: ImportSummary): string {
  const counts = `${added.length} added, ${changed.length} changed, ${unchanged.length} unchanged, ${refused.length} refused\n`;
  return counts + refused.map(({ name, reason }) => `  refused ${name}: ${reason}\n`).join('');
}
