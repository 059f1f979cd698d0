import type { Collection, Db, Decimal128 } from 'mongodb';

/** One document of `reservations`: what a request in flight may cost, until its cost is counted. */
export interface ReservationRow {
  /** As in `requests`: tenant id, a space, request id. */
  readonly _id: string;
  readonly tenantId: string;
  readonly currency: string;
  readonly amount: Decimal128;
  /** Server time until which it counts; renewed while its request runs. Missing in rows of older versions. */
  readonly heldUntil?: Date;
  /**
   * Server time at which the server removes it. An outage of the database, in which nothing can be renewed, must not
   * remove what is renewed after it.
   */
  readonly expiresAt: Date;
}

/** How long a reservation that is not renewed stays in the database, in milliseconds, after it has ceased to count. */
const KEPT_MS = 86_400_000;

export function reservationsOf(db: Db): Collection<ReservationRow> {
  return db.collection<ReservationRow>('reservations');
}

/** Whether a reservation counts, by the server's clock. */
export const isHeld = { $expr: { $gt: [{ $ifNull: ['$heldUntil', '$expiresAt'] }, '$$NOW'] } } as const;

/** For an update by a pipeline: it counts for so long from now on, by the server's clock. */
export function heldFor(ttlMs: number) {
  return {
    heldUntil: { $add: ['$$NOW', ttlMs] },
    expiresAt: { $add: ['$$NOW', ttlMs + KEPT_MS] },
  };
}
