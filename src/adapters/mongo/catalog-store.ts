import type { ClientSession, Db } from 'mongodb';
import type { CatalogModel, ModelStore, PriceStore } from '../../catalog/stores.ts';
import { boundedRead, durableWrite } from './durable-write.ts';
import { type PriceRow, priceRow, priceVersion } from './map-price.ts';

type ModelRow = CatalogModel & { readonly _id: string };

/** Models in the collection `models`, one document each. */
export function createModelStore(db: Db): ModelStore {
  const models = db.collection<ModelRow>('models');
  return {
    async list() {
      const rows = await models.find({}, { sort: { _id: 1 }, ...boundedRead }).toArray();
      return rows.map(({ _id, ...model }) => model);
    },
    async put(changed) {
      if (changed.length === 0) return;
      const writes = changed.map((model) => ({
        replaceOne: { filter: { _id: `${model.provider}/${model.id}` }, replacement: model, upsert: true },
      }));
      await models.bulkWrite(writes, durableWrite);
    },
  };
}

/**
 * Prices in the collection `prices`, one document per version, and the revision of each model's history in
 * `priceHistories`: every append raises it in its transaction, so that two writers cannot add to the same revision.
 */
export function createPriceStore(db: Db): PriceStore {
  const prices = db.collection<PriceRow>('prices');
  const histories = db.collection<{ _id: string; revision: number }>('priceHistories');
  const options = { readConcern: { level: 'snapshot' }, writeConcern: durableWrite.writeConcern } as const;
  const inTransaction = <Result>(work: (session: ClientSession) => Promise<Result>): Promise<Result> =>
    db.client.withSession((session) => session.withTransaction(() => work(session), options));

  return {
    list: async () => {
      const inOrder = { sort: { provider: 1, model: 1, effectiveFrom: 1 }, ...boundedRead } as const;
      return (await prices.find({}, inOrder).toArray()).map(priceVersion);
    },

    history: (provider, model) =>
      inTransaction(async (session) => {
        const history = await histories.findOne({ _id: `${provider}/${model}` }, { session });
        const rows = await prices
          .find({ provider, model }, { session, sort: { effectiveFrom: 1 } })
          .toArray();
        return { revision: history?.revision ?? 0, versions: rows.map(priceVersion) };
      }),

    append: (provider, model, revision, versions) =>
      inTransaction(async (session) => {
        const raised = await histories.findOneAndUpdate(
          { _id: `${provider}/${model}` },
          { $inc: { revision: 1 } },
          { session, upsert: true, returnDocument: 'after' },
        );
        if (raised?.revision !== revision + 1) {
          await session.abortTransaction();
          return false;
        }
        await prices.insertMany(versions.map(priceRow), { session });
        return true;
      }),
  };
}
