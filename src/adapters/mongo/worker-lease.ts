import { randomUUID } from 'node:crypto';
import type { Collection, Db } from 'mongodb';
import type { Clock, WorkerLease } from '../../ports.ts';
import { boundedRead, durableWrite } from './durable-write.ts';
import type { LeaseRow } from './lease-row.ts';
import { OwnerWatch } from './owner-watch.ts';
import { pause, type RetryPolicy, retry, untilAborted } from './retry.ts';

const BEATS_PER_LEASE = 3;
/** The part of a lease after which a worker that could not beat gives up: before anyone can have seen it dead. */
const GIVE_UP_AFTER = 0.8;

export interface WorkerLeaseOptions {
  readonly db: Db;
  readonly leaseMs: number;
  readonly clock: Clock;
  /**
   * Called when the lease is lost: whatever runs under the old worker id must be aborted before this returns, and
   * nothing may be claimed until `held` resolves. Must not throw.
   */
  readonly onLost: () => void;
  /** Told of every database error that is waited out. */
  readonly onRetry: (error: unknown) => void;
}

export interface RunningWorkerLease extends WorkerLease {
  /**
   * This worker's id, whether its lease is written yet or not. A claim that was on its way when the lease was lost may
   * still be given, under an id that counts as dead: release it when the id it was made under is not this one any more.
   */
  readonly workerId: string;
  /**
   * Says that this worker ends on purpose: a request that it leaves behind, because it is killed before it has drained, is no suspect.
   * Best effort, never rejects.
   */
  announceStop(): Promise<void>;
  /** Ends the beat and removes the lease: others see this worker dead at once. Only after everything was released. */
  stop(): Promise<void>;
}

/**
 * Takes a lease and keeps it alive.
 *
 * ```
 *            written                 no beat for 0.8 leases, or its document is gone
 *  TAKING ────────────► HELD ───────────────────────────────► lost: onLost(), new id ──► TAKING
 *     └───────────────────┴── stop ──► STOPPED (document removed)
 * ```
 *
 * The time without a beat runs on the monotonic clock from the sending of the last beat that was answered, and is looked
 * at before a beat is sent and when it is answered: a process that was frozen finds out before it can look alive again.
 *
 * @throws what the database answers to the first lease, once it is not transient
 */
export async function startWorkerLease(options: WorkerLeaseOptions): Promise<RunningWorkerLease> {
  const lease = new MongoWorkerLease(options);
  await lease.start();
  return lease;
}

class MongoWorkerLease implements RunningWorkerLease {
  readonly #leases: Collection<LeaseRow>;
  readonly #leaseMs: number;
  readonly #clock: Clock;
  readonly #onLost: () => void;
  readonly #stop = new AbortController();
  readonly #policy: RetryPolicy;
  readonly #watch: OwnerWatch;
  #workerId = randomUUID();
  #taken = Promise.withResolvers<void>();
  #isHeld = false;
  /** Monotonic time at which the last answered beat was sent. */
  #lastBeatAt = 0;
  #running: Promise<void> = Promise.resolve();

  constructor({ db, leaseMs, clock, onLost, onRetry }: WorkerLeaseOptions) {
    this.#leases = db.collection<LeaseRow>('leases');
    this.#leaseMs = leaseMs;
    this.#clock = clock;
    this.#onLost = onLost;
    this.#policy = { signal: this.#stop.signal, onRetry };
    this.#watch = new OwnerWatch(this.#leases, clock, this.#policy);
  }

  get workerId(): string {
    return this.#workerId;
  }

  async start(): Promise<void> {
    await this.#take(this.#policy);
    this.#running = this.#keep();
  }

  async held(signal: AbortSignal): Promise<string> {
    for (;;) {
      const isHeld = this.#isHeld && !this.#stop.signal.aborted && this.#remainingMs() > 0;
      if (isHeld) return this.#workerId;
      const taken = this.#taken.promise;
      await untilAborted(taken, AbortSignal.any([signal, this.#stop.signal]));
      // Lost again while we waited: the new lease is another promise.
      if (taken === this.#taken.promise) return this.#workerId;
    }
  }

  isDead(owner: string, signal: AbortSignal): Promise<boolean> {
    return this.#watch.isDead(owner, signal);
  }

  hasEnded(owner: string): Promise<boolean> {
    return this.#watch.hasEnded(owner);
  }

  async announceStop(): Promise<void> {
    const stopping = { $set: { stopping: true } };
    await this.#leases.updateOne({ _id: this.#workerId }, stopping, durableWrite).catch(() => undefined);
  }

  async stop(): Promise<void> {
    this.#stop.abort(new Error('The worker lease was stopped.'));
    await this.#running;
    // Best effort: a document that stays is seen standing still after a lease, and expires.
    await this.#leases.deleteOne({ _id: this.#workerId }, boundedRead).catch(() => undefined);
  }

  async #keep(): Promise<void> {
    const { signal } = this.#stop;
    for (;;) {
      await pause(this.#leaseMs / BEATS_PER_LEASE, signal);
      const alive = await this.#beat();
      if (signal.aborted) return;
      if (alive) continue;
      this.#workerId = randomUUID();
      this.#taken = Promise.withResolvers();
      this.#isHeld = false;
      this.#onLost();
      await this.#take({ ...this.#policy, isRetryable: () => true }).catch(() => undefined);
    }
  }

  /** Writes a new lease, however long it takes. */
  async #take(policy: RetryPolicy): Promise<void> {
    const row = { beat: 1, leaseMs: this.#leaseMs, at: '$$NOW' };
    await retry(async () => {
      this.#lastBeatAt = this.#clock.monotonic();
      await this.#leases.updateOne({ _id: this.#workerId }, [{ $set: row }], {
        upsert: true,
        ...durableWrite,
      });
    }, policy);
    this.#isHeld = true;
    this.#taken.resolve();
  }

  /** Beats once. False: the lease is lost. */
  async #beat(): Promise<boolean> {
    const remainingMs = this.#remainingMs();
    if (remainingMs <= 0) return false;
    const deadline = new AbortController();
    const timer = setTimeout(() => deadline.abort(), remainingMs);
    const signal = AbortSignal.any([deadline.signal, this.#stop.signal]);
    let sentAt = 0;
    try {
      const { matchedCount } = await retry(
        () => {
          sentAt = this.#clock.monotonic();
          const next = { beat: { $add: ['$beat', 1] }, at: '$$NOW' };
          return this.#leases.updateOne({ _id: this.#workerId }, [{ $set: next }], durableWrite);
        },
        { ...this.#policy, signal, isRetryable: () => true },
      );
      if (matchedCount === 0 || this.#remainingMs() <= 0) return false;
    } catch {
      return false;
    } finally {
      clearTimeout(timer);
    }
    this.#lastBeatAt = sentAt;
    return true;
  }

  #remainingMs(): number {
    return this.#lastBeatAt + GIVE_UP_AFTER * this.#leaseMs - this.#clock.monotonic();
  }
}
