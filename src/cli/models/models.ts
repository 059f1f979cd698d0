import type { Db } from 'mongodb';
import { createCatalog } from '../../adapters/mongo/catalog/catalog-cache.ts';
import { createModelStore, createPriceStore } from '../../adapters/mongo/catalog/catalog-store.ts';
import { nearestNames } from '../../catalog/models/nearest-names.ts';
import { type ModelCriteria, type PricedModel, selectModels } from '../../catalog/models/select-models.ts';
import { syncModels } from '../../catalog/models/sync-models.ts';
import { lifecycleOf } from '../../catalog/stores.ts';
import { startAnnouncer, startModelLister } from '../../roles/catalog-parts.ts';
import { systemClock } from '../../runtime/system-clock.ts';
import type { Tool } from '../options/tool.ts';
import { withDatabase } from '../options/with-database.ts';
import { requireKafka } from '../options/with-kafka.ts';

/**
 * `models sync [--accept-short]`
 *
 * @throws ChatFailure when the list could not be had, ShortModelList when it is not believed
 */
export async function syncModelsNow(tool: Tool, acceptShort: boolean): Promise<void> {
  const { config, logger, print } = tool;
  if (config.openai.apiKey === null)
    throw new Error('the provider is asked with a key: set AI_OPENAI_API_KEY');
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

/** `models list [NAME] […]`: those that fit, with their prices now. */
export async function listModels(tool: Tool, criteria: ModelCriteria, asJson: boolean): Promise<void> {
  await withDatabase(tool, async (db) => {
    for (const one of selectModels(await pricedModels(db), criteria, Date.now()))
      tool.print(asJson ? `${JSON.stringify(record(one))}\n` : line(one));
  });
}

/**
 * `models show NAME`: everything that is known of a model, and all versions of its price.
 *
 * @throws when the catalog has no model of this id or alias
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
    tool.print(`${JSON.stringify({ ...record(found), prices: versions.map(withInstants) }, null, 2)}\n`);
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

function line({ model, price }: PricedModel): string {
  const lifecycle = lifecycleOf(model, Date.now());
  const until = model.shutdownAt === null ? '' : ` ${new Date(model.shutdownAt).toISOString().slice(0, 10)}`;
  return `${[
    `${model.provider}/${model.id}`,
    `context ${model.contextWindow ?? 'unknown'}`,
    `output ${model.maxOutputTokens ?? 'unknown'}`,
    model.capabilities.join(','),
    ...(price === null
      ? []
      : [`${price.components.input} / ${price.components.output} ${price.currency} per million`]),
    ...(lifecycle === 'active' ? [] : [`${lifecycle}${until}`]),
    ...(model.aliases.length === 0 ? [] : [`also ${model.aliases.join(', ')}`]),
  ].join('\t')}\n`;
}

/** For programs: instants as ISO 8601. */
function record({ model, price }: PricedModel): object {
  return {
    ...withInstants(model),
    lifecycle: lifecycleOf(model, Date.now()),
    price: price && withInstants(price),
  };
}

function withInstants(value: object): object {
  const isInstant = (name: string, of: unknown) => /(At|From|To)$/.test(name) && typeof of === 'number';
  return Object.fromEntries(
    Object.entries(value).map(([name, of]) => [name, isInstant(name, of) ? new Date(of).toISOString() : of]),
  );
}
