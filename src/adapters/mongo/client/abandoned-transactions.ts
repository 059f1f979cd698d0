import type { Db, UUID } from 'mongodb';
import { boundedRead } from './durable-write.ts';

/**
 * A transaction that was idle for this long was abandoned by a process that was killed, frozen or cut off. Ending a slow
 * process's transaction is harmless: the service retries each of its transactions.
 */
const ABANDONED_AFTER_MS = 1_500;

/** The part of `$currentOp` that is used here: a session with an open transaction. */
interface IdleSession {
  readonly lsid: { readonly id: UUID };
}

/**
 * Ends abandoned transactions of this service. MongoDB itself would keep them, and the locks of their writes, for 60 s
 * (`transactionLifetimeLimitSeconds`). The application name of a connection identifies the service's processes. No privilege
 * is needed: every user may list and end their own sessions.
 *
 * @returns how many there were
 * @throws the driver's error
 */
export async function endAbandonedTransactions(db: Db): Promise<number> {
  const { client } = db;
  const admin = client.db('admin');
  const sessions = await admin
    .aggregate<IdleSession>(
      [
        { $currentOp: { allUsers: false, idleSessions: true, idleConnections: false } },
        {
          $match: {
            type: 'idleSession',
            appName: client.options.appName ?? { $exists: false },
            'transaction.timeInactiveMicros': { $gt: ABANDONED_AFTER_MS * 1_000 },
          },
        },
        { $project: { lsid: 1 } },
      ],
      boundedRead,
    )
    .toArray();
  if (sessions.length > 0)
    await admin.command({ killSessions: sessions.map(({ lsid }) => ({ id: lsid.id })) });
  return sessions.length;
}
