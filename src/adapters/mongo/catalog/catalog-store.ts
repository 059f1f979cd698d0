import { isDeepStrictEqual } from 'node:util';
import type { ClientSession, Db } from 'mongodb';
import { describeModelChange, describePriceChange } from '../../../catalog/prices/describe-change.ts';
import { liveVersions } from '../../../catalog/prices/versions/live-versions.ts';
import type { ModelStore, PriceStore, PriceVersion } from '../../../catalog/stores.ts';
import { boundedRead } from '../client/durable-write.ts';
import { transactionOf } from '../client/transaction.ts';
import { requireTask } from '../leases/task-lead.ts';
import { appendChanges } from './change-outbox.ts';
import { catalogModel, type ModelRow, modelRow } from './map-model.ts';
import { type PriceRow, priceRow, priceVersion } from './map-price.ts';

export interface CatalogStoreOptions {
  /** Epoch ms: when a change happened. Default: the system's clock. */
  readonly now?: () => number;
  /** The task that makes the changes. They fail with `TaskLost` once another process has taken the task over. */
  readonly task?: { readonly task: string; readonly owner: string };
}

/** Models in the collection `models`, one document each. */
export function createModelStore(db: Db, { now = Date.now, task }: CatalogStoreOptions = {}): ModelStore {
  const models = db.collection<ModelRow>('models');
  const inOrder = { sort: { _id: 1 } } as const;
  return {
    async list() {
      return (await models.find({}, { ...inOrder, ...boundedRead }).toArray()).map(catalogModel);
    },

    update: (decide) =>
      inTransaction(db, async (session) => {
        if (task !== undefined) await requireTask(db, session, task);
        const known = (await models.find({}, { ...inOrder, session }).toArray()).map(catalogModel);
        const before = new Map(known.map((model) => [`${model.provider}/${model.id}`, model]));
        const at = now();
        const different = decide(known)
          .map((after) => ({ after, earlier: before.get(`${after.provider}/${after.id}`) ?? null }))
          .filter(({ after, earlier }) => !isDeepStrictEqual(after, earlier));
        if (different.length === 0) return [];
        const writes = different.map(({ after }) => {
          const { _id, ...replacement } = modelRow(after);
          return { replaceOne: { filter: { _id }, replacement, upsert: true } };
        });
        await models.bulkWrite(writes, { session });
        const changes = different.flatMap(
          ({ after, earlier }) => describeModelChange(earlier, after, at) ?? [],
        );
        await appendChanges(db, session, changes);
        return changes;
      }),
  };
}

/** If abandoned transactions cannot be ended, this transaction only takes longer. */
function inTransaction<Result>(db: Db, work: (session: ClientSession) => Promise<Result>): Promise<Result> {
  return transactionOf(db, () => undefined, work);
}

/**
 * Prices in the collection `prices`, one document per version, and the revision of each model's history in
 * `priceHistories`: every append raises it in its transaction, so that two writers cannot add to the same revision.
 */
export function createPriceStore(db: Db, { now = Date.now }: CatalogStoreOptions = {}): PriceStore {
  const prices = db.collection<PriceRow>('prices');
  const histories = db.collection<{ _id: string; revision: number }>('priceHistories');
  const versionsOf = async (provider: string, model: string, session: ClientSession) => {
    const rows = await prices
      .find({ provider, model }, { session, sort: { effectiveFrom: 1, _id: 1 } })
      .toArray();
    return rows.map(priceVersion);
  };

  return {
    list: async () => {
      const inOrder = { sort: { provider: 1, model: 1, effectiveFrom: 1, _id: 1 }, ...boundedRead } as const;
      return (await prices.find({}, inOrder).toArray()).map(priceVersion);
    },

    history: (provider, model) =>
      inTransaction(db, async (session) => {
        const history = await histories.findOne({ _id: `${provider}/${model}` }, { session });
        return { revision: history?.revision ?? 0, versions: await versionsOf(provider, model, session) };
      }),

    append: (provider, model, revision, versions) =>
      inTransaction(db, async (session) => {
        const raised = await histories.findOneAndUpdate(
          { _id: `${provider}/${model}` },
          { $inc: { revision: 1 } },
          { session, upsert: true, returnDocument: 'after' },
        );
        if (raised?.revision !== revision + 1) {
          await session.abortTransaction();
          return false;
        }
        const known = await versionsOf(provider, model, session);
        await prices.insertMany(versions.map(priceRow), { session });
        const at = now();
        const changes = versions
          .toSorted((one, other) => one.effectiveFrom - other.effectiveFrom)
          .map((version) =>
            describePriceChange(versionBefore(version, [...known, ...versions]), version, at),
          );
        await appendChanges(db, session, changes);
        return true;
      }),
  };
}

/** The version that a new one replaces: the one that it corrects, else the last that begins before it. */
function versionBefore(
  { effectiveFrom, supersedes }: PriceVersion,
  all: readonly PriceVersion[],
): PriceVersion | null {
  if (supersedes !== undefined) return all.find(({ id }) => id === supersedes) ?? null;
  return liveVersions(all)
    .filter((other) => other.effectiveFrom < effectiveFrom)
    .reduce<PriceVersion | null>(
      (latest, one) => (latest === null || one.effectiveFrom > latest.effectiveFrom ? one : latest),
      null,
    );
}
