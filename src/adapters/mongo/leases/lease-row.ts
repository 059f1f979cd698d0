/** One document of `leases`: a worker that is alive as long as its beat goes on. */
export interface LeaseRow {
  /** The worker's id. */
  _id: string;
  beat: number;
  /** How long the beat must be missing before the worker counts as dead. */
  leaseMs: number;
  /** Server time of the last beat, for operators and for removing the leases of dead workers. */
  at: Date;
  /** The worker has begun to stop. If it ends with claims after all, that is not a crash. */
  stopping?: boolean;
}
