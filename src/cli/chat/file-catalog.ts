import { type CatalogFile, readModelFile } from '../../catalog/files/catalog-file.ts';
import { modelInfo } from '../../catalog/models/model-info.ts';
import { findPrice, priceTimelines } from '../../catalog/prices/versions/find-price.ts';
import { versionsOfFile } from '../../catalog/prices/versions/price-versions.ts';
import type { Catalog, ModelInfo } from '../../ports/catalog.ts';

/**
 * Reads models and prices from files, for commands that need no database.
 *
 * @throws InvalidCatalogFile with every problem at once
 */
export function createFileCatalog(modelFile: CatalogFile, priceFile: CatalogFile): Catalog {
  const models = new Map<string, ModelInfo>();
  for (const { aliases, ...model } of readModelFile(modelFile)) {
    for (const name of [model.id, ...aliases])
      models.set(`${model.provider}/${name}`, modelInfo(model, 'active'));
  }
  const prices = priceTimelines(versionsOfFile(priceFile));
  return {
    model: (provider, name) => models.get(`${provider}/${name}`) ?? null,
    // Used instead of a removed model. A file has no removed models.
    nearest: () => [],
    price: (provider, model, at) => findPrice(prices, provider, model, at),
  };
}
