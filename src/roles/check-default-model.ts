import { lifecycleAt } from '../catalog/models/model-info.ts';
import { unlistedModel } from '../catalog/models/unlisted-model.ts';
import type { Catalog } from '../ports/catalog.ts';
import type { Logger } from '../runtime/logger.ts';

/**
 * Warns when requests that name no model will fail, or soon will.
 *
 * @param now epoch ms
 */
export function checkDefaultModel(
  catalog: Pick<Catalog, 'model' | 'nearest'>,
  provider: string,
  name: string,
  now: number,
  logger: Pick<Logger, 'warn'>,
): void {
  const model = catalog.model(provider, name) ?? unlistedModel(provider, name);
  const { shutdownAt } = model;
  const facts = {
    model: name,
    shutdownAt: shutdownAt === null ? null : new Date(shutdownAt).toISOString(),
    nearest: catalog.nearest(provider, name),
  };
  const lifecycle = lifecycleAt(model, now);
  if (lifecycle === 'removed')
    logger.warn(facts, 'the default model was removed: requests without a model fail; set AI_DEFAULT_MODEL');
  if (lifecycle === 'deprecated')
    logger.warn(facts, 'the default model is deprecated; set AI_DEFAULT_MODEL to another one in time');
}
