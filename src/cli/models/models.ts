import type { Db } from 'mongodb';
import { createCatalog } from '../../adapters/mongo/catalog/catalog-cache.ts';
import { createModelStore, createPriceStore } from '../../adapters/mongo/catalog/catalog-store.ts';
import { nearestNames } from '../../catalog/models/nearest-names.ts';
import { type ModelCriteria, type PricedModel, selectModels } from '../../catalog/models/select-models.ts';
import { syncModels } from '../../catalog/models/sync-models.ts';
import { lifecycleOf } from '../../catalog/stores.ts';
import { visibleJson, visibleName } from '../../domain/text/visible-text.ts';
import { startAnnouncer, startModelLister } from '../../roles/catalog-parts.ts';
import { systemClock } from '../../runtime/system-clock.ts';
import type { Tool } from '../options/tool.ts';
import { withDatabase } from '../options/with-database.ts';
import { requireKafka } from '../options/with-kafka.ts';
import { type Column, iso, Listing, type Output } from '../output/listing.ts';
import { withInstants } from '../output/with-instants.ts';

/**
 * `models sync [--accept-short]`
 *
 * @throws ChatFailure if the list cannot be fetched, ShortModelList if it is rejected
 */
export async function syncModelsNow(tool: Tool, acceptShort: boolean): Promise<void> {
  const { config, logger, print, printError } = tool;
  if (config.openai.apiKey === null)
    throw new Error('listing the provider’s models needs a key: set AI_OPENAI_API_KEY');
  await requireKafka(tool);
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
        const line = `${change.toLowerCase()} ${provider}/${model}${what.length > 0 ? `: ${what.join('; ')}` : ''}`;
        print(`${visibleName(line)}\n`);
      }
      if (changes.length === 0) printError('nothing has changed\n');
    } finally {
      await lister.close();
      await announce.close();
    }
  });
}

/** `models list [NAME] […]`: the matching models, with their current prices. */
export async function listModels(tool: Tool, criteria: ModelCriteria, output: Output): Promise<void> {
  await withDatabase(tool, async (db) => {
    const listing = new Listing(tool, output, COLUMNS, record);
    const all = await pricedModels(db);
    for (const one of selectModels(all, criteria, Date.now())) await listing.add(one);
    await listing.end(
      all.length === 0
        ? 'the catalog is empty; fill it with: models import'
        : 'no model fits; see --help for what is left out',
    );
  });
}

/**
 * `models show NAME`: all facts about a model, and all versions of its price.
 *
 * @throws if the catalog has no model of this id or alias
 */
export async function showModel(tool: Tool, name: string): Promise<void> {
  await withDatabase(tool, async (db) => {
    const all = await pricedModels(db);
    const found =
      all.find(({ model }) => name === model.id || name === `${model.provider}/${model.id}`) ??
      all.find(({ model }) => model.aliases.includes(name));
    if (found === undefined) {
      const names = all.flatMap(({ model }) => [model.id, ...model.aliases]);
      const hint =
        names.length === 0 ? 'it is empty' : `the nearest are ${nearestNames(name, names).join(', ')}`;
      throw new Error(`the catalog has no model ${name}; ${hint}`);
    }
    const { provider, id } = found.model;
    const { versions } = await createPriceStore(db).history(provider, id);
    const shown = { ...record(found), prices: versions.map(withInstants) };
    tool.print(`${visibleJson(JSON.stringify(shown, null, 2))}\n`);
  });
}

async function pricedModels(db: Db): Promise<PricedModel[]> {
  const catalog = await createCatalog({
    db,
    refreshMs: 3_600_000,
    clock: systemClock,
    onRefreshFailed: () => undefined,
  });
  catalog.stop();
  const now = Date.now();
  const models = await createModelStore(db).list();
  return models.map((model) => ({ model, price: catalog.price(model.provider, model.id, now) }));
}

const COLUMNS: readonly Column<PricedModel>[] = [
  { name: 'model', cell: ({ model }) => `${model.provider}/${model.id}` },
  { name: 'lifecycle', cell: ({ model }) => lifecycleOf(model, Date.now()) },
  { name: 'until', cell: ({ model }) => iso(model.shutdownAt)?.slice(0, 10) ?? null },
  { name: 'context', kind: 'number', cell: ({ model }) => model.contextWindow },
  { name: 'max output', kind: 'number', cell: ({ model }) => model.maxOutputTokens },
  { name: 'input/1M', kind: 'number', cell: ({ price }) => price?.components.input ?? null },
  { name: 'output/1M', kind: 'number', cell: ({ price }) => price?.components.output ?? null },
  { name: 'currency', cell: ({ price }) => price?.currency ?? null },
  { name: 'capabilities', cell: ({ model }) => model.capabilities.join(',') },
  { name: 'aliases', cell: ({ model }) => model.aliases.join(',') },
];

/** For programs: instants in ISO 8601. */
function record({ model, price }: PricedModel): object {
  return {
    ...withInstants(model),
    lifecycle: lifecycleOf(model, Date.now()),
    price: price && withInstants(price),
  };
}
