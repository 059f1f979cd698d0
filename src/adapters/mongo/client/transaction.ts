import { type ClientSession, type Db, MongoServerError } from 'mongodb';
import { endAbandonedTransactions } from './abandoned-transactions.ts';
import { durableWrite } from './durable-write.ts';
import { type RetryPolicy, retry } from './retry.ts';
import { isTransientError } from './transient-error.ts';

const DUPLICATE_KEY = 11_000;
/** The driver itself retries a transaction for 120 s. Its last try may take as long as any operation. */
const LONGEST_TRANSACTION_MS = 150_000;
/** Live transactions end sooner. After this time, and at this interval, abandoned transactions are looked for. */
const PATIENCE_MS = 500;

/**
 * Runs work in a snapshot transaction, majority-committed when it resolves. It is retried while the database is unavailable
 * and after write conflicts. So it may have committed before although it is retried.
 *
 * @throws the policy's signal's reason, or a permanent error
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
 * The same for an available database. For 120 s, conflicting transactions are waited out, or ended if they are abandoned.
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
 * Runs writes outside a transaction. The server lets them wait for conflicting transactions, so abandoned ones are ended
 * meanwhile.
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

/** Two transactions inserted the same id. The loser finds it in its retry. */
function isTaken(error: unknown): boolean {
  return error instanceof MongoServerError && error.code === DUPLICATE_KEY;
}
