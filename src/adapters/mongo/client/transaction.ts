import { type ClientSession, type Db, MongoServerError } from 'mongodb';
import { endAbandonedTransactions } from './abandoned-transactions.ts';
import { durableWrite } from './durable-write.ts';
import { type RetryPolicy, retry } from './retry.ts';
import { isTransientError } from './transient-error.ts';

const DUPLICATE_KEY = 11_000;
/** The driver repeats a transaction for 120 s by itself; its last try may take as long as any operation. */
const LONGEST_TRANSACTION_MS = 150_000;
/** Others who are alive are out of the way sooner; from then on it is looked as often for what dead processes left behind. */
const PATIENCE_MS = 500;

/**
 * Runs work in a transaction on one state of the database, on a majority when it resolves. It is repeated while the
 * database is away, and when another transaction came between: it may have been done although it is repeated.
 *
 * @throws the policy's signal's reason, or what waiting cannot cure
 */
export function inTransaction<Result>(
  db: Db,
  policy: RetryPolicy,
  work: (session: ClientSession) => Promise<Result>,
): Promise<Result> {
  return retry(() => transactionOf(db, policy.onRetry, work), {
    longestMs: LONGEST_TRANSACTION_MS,
    ...policy,
    isRetryable: (error) => isTransientError(error) || isTaken(error),
  });
}

/**
 * The same while the database is there: what is in its way is waited out or ended, for 120 s.
 *
 * @param onTrouble called with what keeps abandoned transactions from being ended. Must not throw.
 * @throws the driver's error
 */
export function transactionOf<Result>(
  db: Db,
  onTrouble: (error: unknown) => void,
  work: (session: ClientSession) => Promise<Result>,
): Promise<Result> {
  const options = { readConcern: { level: 'snapshot' }, writeConcern: durableWrite.writeConcern } as const;
  let lookAt = performance.now() + PATIENCE_MS;
  const unobstructed = async (session: ClientSession) => {
    if (performance.now() >= lookAt) {
      await endAbandonedTransactions(db).catch(onTrouble);
      lookAt = performance.now() + PATIENCE_MS;
    }
    return work(session);
  };
  return db.client.withSession((session) => session.withTransaction(() => unobstructed(session), options));
}

/**
 * Runs writes that are no transaction. The server lets them wait for the transactions that are in their way, so that those
 * which were left behind are ended meanwhile.
 *
 * @param onTrouble called with what keeps abandoned transactions from being ended. Must not throw.
 */
export async function pastTransactions<Result>(
  db: Db,
  onTrouble: (error: unknown) => void,
  write: () => Promise<Result>,
): Promise<Result> {
  const looking = setInterval(() => void endAbandonedTransactions(db).catch(onTrouble), PATIENCE_MS);
  try {
    return await write();
  } finally {
    clearInterval(looking);
  }
}

/** Two transactions inserted the same id: the one that lost finds it when it is repeated. */
function isTaken(error: unknown): boolean {
  return error instanceof MongoServerError && error.code === DUPLICATE_KEY;
}
