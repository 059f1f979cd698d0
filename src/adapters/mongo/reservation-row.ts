import type { Collection, Db, Decimal128 } from 'mongodb';

/** One document of `reservations`: what a request that is under way may cost, until its cost is counted. */
export interface ReservationRow {
  /** As in `requests`: tenant id, a space, request id. */
  readonly _id: string;
  readonly tenantId: string;
  readonly currency: string;
  readonly amount: Decimal128;
  readonly expiresAt: Date;
}

export function reservationsOf(db: Db): Collection<ReservationRow> {
  return db.collection<ReservationRow>('reservations');
}
