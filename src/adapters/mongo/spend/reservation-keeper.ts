import type { Db } from 'mongodb';
import { boundedRead } from '../client/durable-write.ts';
import { pause, type RetryPolicy, retry } from '../client/retry.ts';
import { pastTransactions } from '../client/transaction.ts';
import { heldFor, reservationsOf } from './reservation-row.ts';

/** The most reservations that this process renews. Any further one simply expires. */
const MOST_RENEWED = 50_000;
/** Ids in one command. */
const CHUNK = 1_000;
const LONGEST_ROUND_MS = 60_000;
const ROUNDS_PER_TTL = 4;

export interface ReservationKeeperOptions {
  readonly db: Db;
  readonly policy: RetryPolicy;
  /** How long a reservation counts without renewal. */
  readonly ttlMs: number;
}

/** Renews the reservations of this process, including those of requests that wait for their provider or for Kafka. */
export interface ReservationKeeper {
  keep(id: string): void;
  forget(id: string): void;
  stop(): void;
}

/**
 * Renews in rounds. It forgets reservations that are no longer in the database: their cost was counted, or they were
 * released. A renewal never recreates a deleted reservation. After a database outage, the interrupted round continues.
 */
export function createReservationKeeper({ db, policy, ttlMs }: ReservationKeeperOptions): ReservationKeeper {
  const kept = new Set<string>();
  const stopped = new AbortController();
  const signal = AbortSignal.any([stopped.signal, policy.signal]);
  const reservations = reservationsOf(db);

  async function renew(ids: readonly string[]): Promise<void> {
    const filter = { _id: { $in: [...ids] } };
    await pastTransactions(db, policy.onRetry, () =>
      reservations.updateMany(filter, [{ $set: heldFor(ttlMs) }], boundedRead),
    );
    const rows = await reservations.find(filter, { projection: { _id: 1 }, ...boundedRead }).toArray();
    const open = new Set(rows.map(({ _id }) => _id));
    for (const id of ids) if (!open.has(id)) kept.delete(id);
  }

  async function run(): Promise<void> {
    while (!signal.aborted) {
      await pause(Math.min(LONGEST_ROUND_MS, ttlMs / ROUNDS_PER_TTL), signal);
      const ids = [...kept];
      for (let begin = 0; begin < ids.length && !signal.aborted; begin += CHUNK)
        await retry(() => renew(ids.slice(begin, begin + CHUNK)), { ...policy, signal });
    }
  }
  const keepOn = async () => {
    // Permanent errors, such as a missing permission, are retried with the next round.
    while (!signal.aborted)
      await run().catch((error: unknown) => {
        if (!signal.aborted) policy.onRetry(error);
      });
  };
  void keepOn();

  return {
    keep(id) {
      if (kept.size < MOST_RENEWED) kept.add(id);
    },
    forget: (id) => void kept.delete(id),
    stop: () => stopped.abort(new Error('renewing the reservations was stopped')),
  };
}
