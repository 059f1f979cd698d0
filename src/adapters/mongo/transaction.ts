import { type ClientSession, type Db, MongoServerError } from 'mongodb';
import { durableWrite } from './durable-write.ts';
import { type RetryPolicy, retry } from './retry.ts';
import { isTransientError } from './transient-error.ts';

const DUPLICATE_KEY = 11_000;
/** The driver repeats a transaction for 120 s by itself; its last try may take as long as any operation. */
const LONGEST_TRANSACTION_MS = 150_000;

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
  const options = { readConcern: { level: 'snapshot' }, writeConcern: durableWrite.writeConcern } as const;
  return retry(
    () => db.client.withSession((session) => session.withTransaction(() => work(session), options)),
    {
      longestMs: LONGEST_TRANSACTION_MS,
      ...policy,
      isRetryable: (error) => isTransientError(error) || isTaken(error),
    },
  );
}

/** Two transactions inserted the same id: the one that lost finds it when it is repeated. */
function isTaken(error: unknown): boolean {
  return error instanceof MongoServerError && error.code === DUPLICATE_KEY;
}
