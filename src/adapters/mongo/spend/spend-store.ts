import { type AnyBulkWriteOperation, type ClientSession, type Db, Decimal128 } from 'mongodb';
import { type BudgetHold, bucketKey, type SpendEntry, sumSpend } from '../../../domain/cost/spend.ts';
import {
  type CountedEvent,
  type Fold,
  type PartitionStep,
  RebuildOvertaken,
  type SpendPosition,
  type SpendStore,
} from '../../../spend/spend-store.ts';
import { boundedRead } from '../client/durable-write.ts';
import { type RetryPolicy, retry } from '../client/retry.ts';
import { inTransaction, pastTransactions } from '../client/transaction.ts';
import { rowId } from '../ledger/request-row.ts';
import { reservationsOf } from './reservation-row.ts';
import {
  idIn,
  long,
  type SpendPositionRow,
  type SpendRow,
  type SpendTotalRow,
  spendCollections,
  totalId,
} from './spend-rows.ts';

const FIRST_GENERATION = 1;

export interface SpendStoreOptions {
  readonly db: Db;
  readonly policy: RetryPolicy;
  /** The generation that a rebuild counts, which releases no reservations. Default: the one in use. */
  readonly generation?: number;
}

/** Spend in the collections `spend`, `spendTotals`, `spendEvents` and `spendPositions`. */
export function createSpendStore({ db, policy, generation }: SpendStoreOptions): SpendStore {
  const { state, positions, spend, totals, events } = spendCollections(db);
  const reservations = reservationsOf(db);

  const inUse = async (session?: ClientSession) =>
    generation ??
    (await state.findOne({ _id: 'spend' }, session === undefined ? boundedRead : { session }))?.generation ??
    FIRST_GENERATION;

  async function prepare(partitions: number): Promise<void> {
    // A rebuild creates its positions at its start. If they are missing, another rebuild has removed them.
    if (generation !== undefined) return;
    const current = await retry(inUse, policy);
    const there = await retry(
      () => positions.countDocuments({ generation: current, partition: { $lt: partitions } }, boundedRead),
      policy,
    );
    if (there < partitions) await createPositions({ db, policy }, partitions);
  }

  async function position(partition: number): Promise<SpendPosition> {
    const current = await retry(inUse, policy);
    const row = await retry(() => positions.findOne({ _id: idIn(current, partition) }, boundedRead), policy);
    if (row === null && generation !== undefined) throw new RebuildOvertaken();
    return {
      partition,
      generation: current,
      next: row?.next ?? null,
      newest: row?.newest ?? null,
    };
  }

  async function fold(step: Fold): Promise<readonly number[]> {
    return inTransaction(db, policy, async (session) => {
      // 1 Check the positions: a fold that starts elsewhere counts nothing.
      const moved = await advance(step, session);
      if (moved.length > 0) {
        await session.abortTransaction();
        return moved;
      }

      // 2 Find the events that were not counted before.
      const fresh = await remember(step, session);

      // 3 Add their sums, and release what was reserved for them.
      const sums = sumSpend(fresh.flatMap(({ entries }) => entries));
      if (sums.length > 0)
        await spend.bulkWrite(
          sums.map((sum) => addition(step.generation, sum)),
          { session },
        );
      const holds = fresh.flatMap((event) => event.holds);
      const perTenant = totalsOf(step.generation, [...sums, ...holds]);
      if (perTenant.length > 0) await totals.bulkWrite(perTenant, { session });
      if (generation === undefined && fresh.length > 0) {
        const ids = fresh.map(({ request }) => rowId(request));
        await reservations.deleteMany({ _id: { $in: ids } }, { session });
      }
      return [];
    });
  }

  async function advance({ generation: of, steps }: Fold, session: ClientSession): Promise<number[]> {
    const moved: number[] = [];
    for (const step of steps) {
      const { matchedCount } = await positions.updateOne(
        { _id: idIn(of, step.partition), next: step.from },
        advanced(step),
        { session },
      );
      if (matchedCount === 0) moved.push(step.partition);
    }
    return moved;
  }

  async function remember(
    { generation: of, events: all }: Fold,
    session: ClientSession,
  ): Promise<CountedEvent[]> {
    const byId = new Map<string, CountedEvent>();
    for (const event of all) {
      const id = idIn(of, event.id);
      if (!byId.has(id)) byId.set(id, event);
    }
    if (byId.size === 0) return [];
    for await (const { _id } of events.find({ _id: { $in: [...byId.keys()] } }, { session }))
      byId.delete(_id);
    if (byId.size === 0) return [];
    await events.insertMany(
      [...byId].map(([_id, { keepUntil }]) => ({
        _id,
        keepUntil: keepUntil === null ? null : new Date(keepUntil),
      })),
      { session },
    );
    return [...byId.values()];
  }

  async function confirmCurrent(of: number, partitions: readonly number[]): Promise<void> {
    if (partitions.length === 0) return;
    await pastTransactions(db, policy.onRetry, () =>
      positions.updateMany(
        { _id: { $in: partitions.map((partition) => idIn(of, partition)) } },
        { $currentDate: { currentAt: true } },
        { writeConcern: { w: 1 }, ...boundedRead },
      ),
    );
  }

  return { prepare, position, fold, confirmCurrent };
}

/** Creates missing positions for a number of partitions, in a generation or in the one in use. */
export async function createPositions(
  { db, policy }: Pick<SpendStoreOptions, 'db' | 'policy'>,
  partitions: number,
  generation?: number,
): Promise<void> {
  const { state, positions } = spendCollections(db);
  await inTransaction(db, policy, async (session) => {
    // A write, not a read, so that it conflicts with a concurrent activation of a rebuild, which must not miss these positions.
    const row = await state.findOneAndUpdate(
      { _id: 'spend' },
      {
        $setOnInsert: { generation: FIRST_GENERATION, lastGeneration: FIRST_GENERATION },
        $currentDate: { preparedAt: true },
      },
      { session, upsert: true, returnDocument: 'after' },
    );
    const target = generation ?? row?.generation ?? FIRST_GENERATION;
    const operations = Array.from({ length: partitions }, (_, partition) => newPosition(target, partition));
    await positions.bulkWrite(operations, { session });
  });
}

function newPosition(generation: number, partition: number): AnyBulkWriteOperation<SpendPositionRow> {
  const row = { generation, partition, next: null, newest: null, unreadable: 0, currentAt: null };
  return {
    updateOne: { filter: { _id: idIn(generation, partition) }, update: { $setOnInsert: row }, upsert: true },
  };
}

function advanced({ next, newest, unreadable, isCurrent }: PartitionStep) {
  return {
    $set: { next, newest },
    $inc: { unreadable },
    ...(isCurrent && { $currentDate: { currentAt: true as const } }),
  };
}

function addition(generation: number, sum: SpendEntry): AnyBulkWriteOperation<SpendRow> {
  const { amount, calls, unpricedCalls, estimatedCalls, inputTokens, outputTokens, ...bucket } = sum;
  return {
    updateOne: {
      filter: { _id: idIn(generation, bucketKey(bucket)) },
      update: {
        $setOnInsert: { generation, ...bucket },
        $inc: {
          calls: long(calls),
          unpricedCalls: long(unpricedCalls),
          estimatedCalls: long(estimatedCalls),
          inputTokens: long(inputTokens),
          outputTokens: long(outputTokens),
          ...(amount !== null && { amount: Decimal128.fromString(amount) }),
        },
      },
      upsert: true,
    },
  };
}

/** The amounts to add to each tenant's day and month. */
function totalsOf(
  generation: number,
  sums: readonly (Pick<SpendEntry, 'day' | 'tenantId' | 'currency' | 'amount'> | BudgetHold)[],
): AnyBulkWriteOperation<SpendTotalRow>[] {
  return sums.flatMap(({ day, tenantId, currency, amount }) =>
    currency === null || amount === null
      ? []
      : [day, day.slice(0, 7)].map((period) => ({
          updateOne: {
            filter: { _id: totalId(generation, tenantId, period, currency) },
            update: { $inc: { amount: Decimal128.fromString(amount) } },
            upsert: true,
          },
        })),
  );
}
