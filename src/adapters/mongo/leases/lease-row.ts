/** One document of `leases`: a worker that is alive as long as its beat goes on. */
export interface LeaseRow {
  /** The worker's id. */
  _id: string;
  beat: number;
  /** How long the beat must stand still before the worker counts as dead. */
  leaseMs: number;
  /** Server time of the last beat; for people, and for removing what dead workers left. */
  at: Date;
  /** The worker has begun to stop: should it end with claims after all, then not for a crash. */
  stopping?: boolean;
}
