import type { ModelInfo } from '../../ports/catalog.ts';
import { modelFacts } from '../files/model-facts.ts';
import { families, shippedModelEntries } from '../files/shipped-catalog.ts';
import { modelInfo } from './model-info.ts';

/**
 * A model that is not in the catalog, with the facts that follow from its name. It is called by this name: the provider decides
 * whether it exists. Without a family, nothing is added to the request, renamed or refused.
 */
export function unlistedModel(provider: string, id: string): ModelInfo {
  return modelInfo(modelFacts(provider, id, shippedModelEntries, families), 'active');
}
