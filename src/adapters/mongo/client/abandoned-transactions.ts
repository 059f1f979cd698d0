import type { Db, UUID } from 'mongodb';
import { boundedRead } from './durable-write.ts';

/**
 * A transaction in which nothing has happened for so long was left behind by a process that was killed, frozen or cut off.
 * Ending one whose process is only slow is harmless: each of ours is repeated.
 */
const ABANDONED_AFTER_MS = 1_500;

/** What `$currentOp` says of a session with an open transaction, as far as it is used here. */
interface IdleSession {
  readonly lsid: { readonly id: UUID };
}

/**
 * Ends the transactions that processes of this service left behind; MongoDB itself keeps them, and what they have written
 * locked, for 60 s (`transactionLifetimeLimitSeconds`). The service's processes are known by the application name of their
 * connections. No privilege is needed: everybody may list and end sessions of the user that they are logged in as.
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
