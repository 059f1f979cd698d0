import type { Db } from 'mongodb';
import { RebuildOvertaken, type SpendPosition, type SpendRebuild } from '../../../spend/spend-store.ts';
import { durableWrite } from '../client/durable-write.ts';
import { type RetryPolicy, retry } from '../client/retry.ts';
import { inTransaction, pastTransactions } from '../client/transaction.ts';
import { rowId } from '../ledger/request-row.ts';
import { reservationsOf } from './reservation-row.ts';
import { idsOf, spendCollections } from './spend-rows.ts';
import { createPositions, createSpendStore } from './spend-store.ts';

/** Ids in one command. */
const CHUNK = 10_000;
/** Time limit of deleting a generation, which may be years of spend. A retry continues where the limit interrupted it. */
const LONGEST_DELETION_MS = 600_000;

/** Rebuilds in generations. Each has its own positions, sums and event ids, and one document names the generation in use. */
export function createSpendRebuild(db: Db, policy: RetryPolicy): SpendRebuild {
  const { state, positions, spend, totals, events } = spendCollections(db);
  const reservations = reservationsOf(db);

  async function clean(): Promise<void> {
    const row = await retry(() => state.findOne({ _id: 'spend' }), policy);
    if (row === null) return;
    const { $gte, $lt } = idsOf(row.generation);
    const others = { $or: [{ _id: { $lt: $gte } }, { _id: { $gte: $lt } }] };
    const { writeConcern } = durableWrite;
    // Positions first: a rebuild that is still running then fails at its next step.
    for (const { collectionName } of [positions, spend, totals, events]) {
      const rows = db.collection<{ _id: string }>(collectionName);
      const patient = { ...policy, longestMs: LONGEST_DELETION_MS };
      await retry(
        () => pastTransactions(db, policy.onRetry, () => rows.deleteMany(others, { writeConcern })),
        patient,
      );
    }
  }

  return {
    async begin(partitions) {
      await createSpendStore({ db, policy }).prepare(partitions);
      await clean();
      const row = await retry(
        () =>
          pastTransactions(db, policy.onRetry, () =>
            state.findOneAndUpdate(
              { _id: 'spend' },
              { $inc: { lastGeneration: 1 } },
              { returnDocument: 'before', writeConcern: durableWrite.writeConcern },
            ),
          ),
        policy,
      );
      const current = row?.generation ?? 1;
      const generation = (row?.lastGeneration ?? 1) + 1;
      await createPositions({ db, policy }, partitions, generation);
      const open = await retry(() => reservations.find({}, { projection: { _id: 1 } }).toArray(), policy);
      const reserved = new Set(open.map(({ _id }) => _id));
      const inUse = await retry(() => positions.find({ generation: current }).toArray(), policy);
      return {
        generation,
        hasReserved: (request) => reserved.has(rowId(request)),
        inUse: inUse.map(
          ({ partition, next, newest }): SpendPosition => ({ partition, generation: current, next, newest }),
        ),
      };
    },

    storeOf: (generation) => createSpendStore({ db, policy, generation }),

    finish: (generation, logEnds, counted) =>
      inTransaction(db, policy, async (session) => {
        const row = await state.findOne({ _id: 'spend' }, { session });
        if (row === null) return false;
        // The answer to an earlier try was lost: it is done.
        if (row.generation === generation) return true;
        const own = await positions.find({ generation }, { session }).toArray();
        if (own.length === 0) throw new RebuildOvertaken();
        const reached = new Map(own.map(({ partition, next }) => [partition, next ?? 0]));
        const inUse = await positions.find({ generation: row.generation }, { session }).toArray();
        for (const { partition, next } of inUse) {
          const isOfThisLog = next !== null && next <= (logEnds.get(partition) ?? next);
          if (isOfThisLog && next > (reached.get(partition) ?? 0)) {
            await session.abortTransaction();
            return false;
          }
        }
        // Removed in this transaction, so that it conflicts with a concurrent fold into the old generation: one of the two fails.
        await positions.deleteMany({ generation: row.generation }, { session });
        await state.updateOne({ _id: 'spend' }, { $set: { generation } }, { session });
        await positions.updateMany({ generation }, { $currentDate: { currentAt: true } }, { session });
        const ids = counted.map(rowId);
        for (let begin = 0; begin < ids.length; begin += CHUNK)
          await reservations.deleteMany({ _id: { $in: ids.slice(begin, begin + CHUNK) } }, { session });
        return true;
      }),

    clean,
  };
}
