import { type ClientSession, type Db, MongoServerError } from 'mongodb';
import { type TaskLead, TaskLost } from '../../../catalog/upkeep/keep-catalog.ts';
import type { WorkerLease } from '../../../ports/ledger.ts';
import { boundedRead, durableWrite } from '../client/durable-write.ts';
import { pastTransactions } from '../client/transaction.ts';

/** One document of `tasks`: a task that one process at a time runs. */
interface TaskRow {
  readonly _id: string;
  /** Worker id of the process that runs the task now. Its lease shows whether it is alive. */
  readonly owner: string | null;
  /** Server time at which it began. */
  readonly since?: Date;
  /** Server time from which it is due again. Absent: at once. */
  readonly dueAt?: Date;
  /** Raised by every transaction that belongs to the task. */
  readonly writes?: number;
}

const DUPLICATE_KEY = 11_000;

/** @param lease of this process, which owns the task as long as the lease lives */
export function createTaskLead(db: Db, task: string, lease: WorkerLease): TaskLead {
  const tasks = db.collection<TaskRow>('tasks');

  const currentOwner = async (): Promise<string | null> => {
    const row = await tasks.findOne({ _id: task }, boundedRead);
    if (row !== null) return row.owner;
    await tasks.insertOne({ _id: task, owner: null }, durableWrite).catch((error: unknown) => {
      if (!(error instanceof MongoServerError) || error.code !== DUPLICATE_KEY) throw error;
    });
    return currentOwner();
  };

  return {
    async isDue() {
      const later = await tasks.findOne(
        { _id: task, $expr: { $gt: ['$dueAt', '$$NOW'] } },
        { projection: { _id: 1 }, ...boundedRead },
      );
      return later === null;
    },

    async take(signal) {
      for (;;) {
        const own = await lease.held(signal);
        const owner = await currentOwner();
        if (owner === own) return own;
        if (owner !== null && !(await lease.isDead(owner, signal))) continue;
        // The dead owner may have left an open transaction that has written this document.
        const { matchedCount } = await pastTransactions(
          db,
          () => undefined,
          () =>
            tasks.updateOne({ _id: task, owner }, [{ $set: { owner: own, since: '$$NOW' } }], durableWrite),
        );
        if (matchedCount > 0) return own;
      }
    },

    async release(owner, nextInMs) {
      const due = nextInMs === null ? {} : { dueAt: { $add: ['$$NOW', nextInMs] } };
      await tasks.updateOne({ _id: task, owner }, [{ $set: { owner: null, ...due } }], durableWrite);
    },
  };
}

/**
 * Makes a transaction depend on the task: it cannot commit once another process has taken the task over.
 *
 * @throws TaskLost
 */
export async function requireTask(
  db: Db,
  session: ClientSession,
  { task, owner }: { readonly task: string; readonly owner: string },
): Promise<void> {
  const { matchedCount } = await db
    .collection<TaskRow>('tasks')
    .updateOne({ _id: task, owner }, { $inc: { writes: 1 } }, { session });
  if (matchedCount === 0) throw new TaskLost(`The task ${task} was taken over by another process.`);
}
