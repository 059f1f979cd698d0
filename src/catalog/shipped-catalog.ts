import type { CatalogFile } from './catalog-file.ts';
import models from './data/models.json' with { type: 'json' };
import prices from './data/prices.json' with { type: 'json' };

/** The models that ship with the service, to be imported as any other file. */
export const shippedModels: CatalogFile = { name: 'shipped models.json', text: JSON.stringify(models) };

/**
 * The prices that ship with the service, to be imported as any other file. They hold from the model's launch or the
 * provider's change of price; for a model whose launch date is not known, from its predecessor's, before which it
 * cannot have been called.
 */
export const shippedPrices: CatalogFile = { name: 'shipped prices.json', text: JSON.stringify(prices) };
