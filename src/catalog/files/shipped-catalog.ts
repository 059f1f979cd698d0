import familyList from '../data/families.json' with { type: 'json' };
import models from '../data/models.json' with { type: 'json' };
import prices from '../data/prices.json' with { type: 'json' };
import { type CatalogFile, type ModelEntry, readModelFile } from './catalog-file.ts';
import type { ModelFamily } from './model-facts.ts';

/** The models that ship with the service, imported like any other file. */
export const shippedModels: CatalogFile = { name: 'shipped models.json', text: JSON.stringify(models) };

/** The same by `provider/id`, with their source. */
export const shippedModelEntries: ReadonlyMap<string, ModelEntry & { readonly source: string }> = new Map(
  readModelFile(shippedModels).map((entry) => [
    `${entry.provider}/${entry.id}`,
    { ...entry, source: shippedModels.name },
  ]),
);

/** The known families of models. */
export const families = familyList as readonly ModelFamily[];

/**
 * The prices that ship with the service, imported like any other file. They apply from the model's launch or the provider's price
 * change. If the launch date is unknown, they apply from the predecessor's: the model cannot have been called before.
 */
export const shippedPrices: CatalogFile = { name: 'shipped prices.json', text: JSON.stringify(prices) };
