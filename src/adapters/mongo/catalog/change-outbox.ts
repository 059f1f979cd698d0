import { randomUUID } from 'node:crypto';
import type { ClientSession, Db } from 'mongodb';
import type { ChangeOutbox } from '../../../catalog/stores.ts';
import type { ModelChanged } from '../../../contract/record-types.ts';
import { boundedRead, durableWrite } from '../client/durable-write.ts';

/** One document of `modelChanges`: a change to be published. */
interface ChangeRow {
  /** Its number. */
  readonly _id: number;
  readonly change: ModelChanged;
}

/** The counter of the changes, in `meta`. */
interface CounterRow {
  readonly _id: 'modelChanges';
  readonly outboxId: string;
  /** The number of the last change. */
  readonly last: number;
}

/** Stores changes in the transaction that made them. Concurrent writers wait for each other at the counter. */
export async function appendChanges(
  db: Db,
  session: ClientSession,
  changes: readonly ModelChanged[],
): Promise<void> {
  if (changes.length === 0) return;
  const counter = await db
    .collection<CounterRow>('meta')
    .findOneAndUpdate(
      { _id: 'modelChanges' },
      { $inc: { last: changes.length }, $setOnInsert: { outboxId: randomUUID() } },
      { session, upsert: true, returnDocument: 'after' },
    );
  const first = (counter?.last ?? 0) - changes.length + 1;
  const rows = changes.map((change, index) => ({ _id: first + index, change }));
  await db.collection<ChangeRow>('modelChanges').insertMany(rows, { session });
}

/** The unpublished changes in the collection `modelChanges`. */
export function createChangeOutbox(db: Db): ChangeOutbox {
  const rows = db.collection<ChangeRow>('modelChanges');
  return {
    async pending(limit) {
      const changes = await rows.find({}, { sort: { _id: 1 }, limit, ...boundedRead }).toArray();
      if (changes.length === 0) return { outboxId: '', changes: [] };
      const counter = await db.collection<CounterRow>('meta').findOne({ _id: 'modelChanges' }, boundedRead);
      return {
        outboxId: counter?.outboxId ?? '',
        changes: changes.map(({ _id, change }) => ({ number: _id, change })),
      };
    },
    async forget(upTo) {
      await rows.deleteMany({ _id: { $lte: upTo } }, durableWrite);
    },
  };
}
