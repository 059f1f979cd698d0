import type { ModelChanged } from '../../contract/record-types.ts';
import { INFERRED, modelFacts } from '../files/model-facts.ts';
import { families, shippedModelEntries, shippedModels } from '../files/shipped-catalog.ts';
import type { ModelStore } from '../stores.ts';
import type { AnnounceChanges } from '../upkeep/announce-changes.ts';
import { compareModels } from './compare-models.ts';

/** Lists the models of a provider. */
export interface ModelLister {
  /** Configured provider name, e.g. openai. */
  readonly provider: string;
  /**
   * The ids of all models that the account may use.
   *
   * @throws ChatFailure with the provider's words; the signal's reason when aborted
   */
  list(signal: AbortSignal): Promise<readonly string[]>;
}

export interface ModelSync {
  readonly lister: ModelLister;
  readonly models: ModelStore;
  readonly announce: AnnounceChanges;
  /** Epoch ms. */
  readonly now: () => number;
  /** Accept a list that lacks more models than it should. Default: false. */
  readonly acceptShort?: boolean;
}

/** Facts that a newer version of the service may correct. What an operator imported stays. */
const REPLACEABLE: ReadonlySet<string> = new Set([shippedModels.name, INFERRED]);

/**
 * Updates the catalog from the provider's list.
 *
 * Steps 2 and 3 are one transaction, which also stores the changes to announce. If this process dies after it, the next one
 * announces them.
 *
 * @returns the changes; all of them are announced
 * @throws ChatFailure if the list cannot be fetched, ShortModelList if it is rejected; then nothing has changed
 */
export async function syncModels(sync: ModelSync, signal: AbortSignal): Promise<ModelChanged[]> {
  const { lister, models, announce, now } = sync;
  // 1 Fetch.
  const listed = await lister.list(signal);
  // 2 Compare. 3 Store.
  const changes = await models.update((known) =>
    compareModels({
      provider: lister.provider,
      known,
      listed,
      factsOf: (id) => modelFacts(lister.provider, id, shippedModelEntries, families),
      replaceable: REPLACEABLE,
      acceptShort: sync.acceptShort ?? false,
      now: now(),
    }),
  );
  // 4 Announce.
  await announce.all(signal);
  return changes;
}
