import { findPrice, priceTimelines } from '../adapters/mongo/find-price.ts';
import { type CatalogFile, readModelFile, readPriceFile } from '../catalog/catalog-file.ts';
import type { Catalog } from '../ports.ts';

/**
 * Models and prices straight from files, for commands that need no database.
 *
 * @throws InvalidCatalogFile with every problem at once
 */
export function createFileCatalog(modelFile: CatalogFile, priceFile: CatalogFile): Catalog {
  const models = new Map(readModelFile(modelFile).map((model) => [`${model.provider}/${model.id}`, model]));
  const prices = priceTimelines(
    readPriceFile(priceFile).map((price) => {
      const id = `${price.provider}/${price.model}@${new Date(price.effectiveFrom).toISOString()}`;
      return { id, ...price, sourceHash: '' };
    }),
  );
  return {
    model: (provider, id) => {
      const model = models.get(`${provider}/${id}`);
      return model === undefined ? null : { ...model, streams: model.capabilities.includes('streaming') };
    },
    price: (provider, model, at) => findPrice(prices, provider, model, at),
  };
}
