import type { Db } from 'mongodb';
import { createModelStore, createPriceStore } from '../adapters/mongo/catalog-store.ts';
import { connectDatabase, ensureIndexes } from '../adapters/mongo/database.ts';
import type { CatalogFile } from '../catalog/catalog-file.ts';
import { importModels } from '../catalog/import-models.ts';
import { importPrices } from '../catalog/import-prices.ts';
import type { ImportSummary } from '../catalog/import-summary.ts';
import { shippedModels, shippedPrices } from '../catalog/shipped-catalog.ts';
import type { ModelStore, PriceStore } from '../catalog/stores.ts';
import { syncModels } from '../catalog/sync-models.ts';
import { startAnnouncer, startModelLister } from '../roles/catalog-parts.ts';
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

/**
 * `models sync [--accept-short]`
 *
 * @throws ChatFailure when the list could not be had, ShortModelList when it is not believed
 */
export async function syncModelsNow(tool: Tool, acceptShort: boolean): Promise<void> {
  const { config, logger, print } = tool;
  if (config.openai.apiKey === null)
    throw new Error('the provider is asked with a key: set AI_OPENAI_API_KEY');
  await withDatabase(tool, async (db) => {
    const announce = await startAnnouncer(config, db, logger, () => undefined);
    const lister = startModelLister(config);
    try {
      const models = createModelStore(db);
      const signal = new AbortController().signal;
      const changes = await syncModels({ lister, models, announce, now: Date.now, acceptShort }, signal);
      for (const { change, provider, model, details } of changes) {
        const what =
          change === 'ADDED' ? [] : details.map((of) => `${of.property} ${of.before} → ${of.after}`);
        print(
          `${change.toLowerCase()} ${provider}/${model}${what.length > 0 ? `: ${what.join('; ')}` : ''}\n`,
        );
      }
      if (changes.length === 0) print('nothing has changed\n');
    } finally {
      await lister.close();
      await announce.close();
    }
  });
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
  tool: Tool,
  work: (stores: { models: ModelStore; prices: PriceStore }) => Promise<void>,
): Promise<void> {
  await withDatabase(tool, (db) => work({ models: createModelStore(db), prices: createPriceStore(db) }));
}

async function withDatabase({ config }: Tool, work: (db: Db) => Promise<void>): Promise<void> {
  const { db, close } = await connectDatabase({ ...config.mongo, applicationName: config.kafka.clientId });
  try {
    await ensureIndexes(db);
    await work(db);
  } finally {
    await close();
  }
}

function describe({ added, changed, unchanged, refused }: ImportSummary): string {
  const counts = `${added.length} added, ${changed.length} changed, ${unchanged.length} unchanged, ${refused.length} refused\n`;
  return counts + refused.map(({ name, reason }) => `  refused ${name}: ${reason}\n`).join('');
}
