import { randomUUID } from 'node:crypto';
import type { Collection, Db } from 'mongodb';
import type { Clock } from '../../../ports/clock.ts';
import type { WorkerLease } from '../../../ports/ledger.ts';
import { boundedRead, durableWrite } from '../client/durable-write.ts';
import { pause, type RetryPolicy, retry, untilAborted } from '../client/retry.ts';
import type { LeaseRow } from './lease-row.ts';
import { OwnerWatch } from './owner-watch.ts';

const BEATS_PER_LEASE = 3;
/** The part of a lease after which a beat allows no more claims, and after which a suspended process counts as frozen. */
const TRUSTED_PART = 0.8;
/** How often the process checks whether it was suspended. */
const TICKS_PER_LEASE = 10;
/** Leases without an answered beat after which the database counts as unreachable: longer than an election takes. */
const UNREACHABLE_AFTER = 2;

export interface WorkerLeaseOptions {
  readonly db: Db;
  readonly leaseMs: number;
  readonly clock: Clock;
  /**
   * Called when this process was frozen: whatever runs under the old worker id must be aborted before this returns, and
   * nothing may be claimed until `held` resolves. Must not throw.
   */
  readonly onLost: () => void;
  /** Called once when the database was silent for two leases. Calls go on. Must not throw. */
  readonly onUnreachable?: () => void;
  /**
   * Called when the lease is renewed after others may have seen it dead, and after `onUnreachable`: claims must be
   * verified by their tokens. Must not throw.
   */
  readonly onRenewed?: () => void;
  /** Called with the server's time (epoch ms), which was read between two instants of the monotonic clock. */
  readonly onServerTime?: (serverTime: number, sentAt: number, answeredAt: number) => void;
  /** Called for every database error that is waited out. */
  readonly onRetry: (error: unknown) => void;
}

export interface RunningWorkerLease extends WorkerLease {
  /**
   * This worker's id, even before its lease is written. A claim that was in flight when the lease was lost may still
   * succeed, under an id that counts as dead. Release a claim that was made under another id than this one.
   */
  readonly workerId: string;
  /**
   * Records that this worker stops on purpose. If it is killed before it has drained, its requests do not become suspects.
   * Best effort, never rejects.
   */
  announceStop(): Promise<void>;
  /** Ends the beat and removes the lease: others see this worker dead at once. Call it only after everything was released. */
  stop(): Promise<void>;
}

/**
 * Takes a lease and keeps it alive.
 *
 * ```
 *            written          no answer for 0.8 leases
 *  TAKING ────────────► HELD ─────────────────────────► STALE: nothing is claimed, calls go on
 *    ▲ │                 ▲ │                             │ │
 *    │ │                 │ └── beat answered ◄───────────┘ │ answered: written again if it was missing, onRenewed()
 *    │ │                 └─────────────────────────────────┘
 *    │ └── stop, from every state ──► STOPPED (document removed)
 *    └──── this process was frozen for 0.8 leases, from every state: onLost(), new id
 * ```
 *
 * If the database is silent, the worker keeps its id and its calls. Watchers do not count the time in which they could not
 * reach the database (`OwnerWatch`), and a claim that was taken over anyway is found by its token. Only a process that was
 * suspended itself gives everything up. Its ticks on the monotonic clock show that. It checks before a beat is sent and when
 * the beat is answered, so a frozen process notices before it can look alive again.
 *
 * @throws the database's answer to the first lease, if it is not transient
 */
export async function startWorkerLease(options: WorkerLeaseOptions): Promise<RunningWorkerLease> {
  const lease = new MongoWorkerLease(options);
  await lease.start();
  return lease;
}

class MongoWorkerLease implements RunningWorkerLease {
  readonly #leases: Collection<LeaseRow>;
  readonly #options: WorkerLeaseOptions;
  readonly #stop = new AbortController();
  readonly #policy: RetryPolicy;
  readonly #watch: OwnerWatch;
  #workerId = randomUUID();
  /** Fires when the process was frozen; another one for each worker id. */
  #frozen = new AbortController();
  /** Resolves with the next answered beat. */
  #answered = Promise.withResolvers<void>();
  /** Monotonic time at which the last answered beat was sent; null before the first of a worker id. */
  #lastBeatAt: number | null = null;
  /** Monotonic time since which the database has not answered. */
  #silentSince = 0;
  #lastTickAt = 0;
  #isUnreachable = false;
  #ticks: NodeJS.Timeout | null = null;
  #running: Promise<void> = Promise.resolve();

  constructor(options: WorkerLeaseOptions) {
    const { db, leaseMs, clock, onRetry } = options;
    this.#options = options;
    this.#leases = db.collection<LeaseRow>('leases');
    // A beat that hangs on a dead connection is resent over another one before watchers have waited for a whole lease.
    this.#policy = { signal: this.#stop.signal, onRetry, longestMs: leaseMs, longestDelayMs: leaseMs / 10 };
    this.#watch = new OwnerWatch(this.#leases, clock, { signal: this.#stop.signal, onRetry });
  }

  get workerId(): string {
    return this.#workerId;
  }

  async start(): Promise<void> {
    const now = this.#options.clock.monotonic();
    this.#silentSince = now;
    this.#lastTickAt = now;
    this.#ticks = setInterval(() => this.#tick(), this.#options.leaseMs / TICKS_PER_LEASE);
    try {
      await this.#take(this.#policy);
    } catch (error) {
      clearInterval(this.#ticks);
      throw error;
    }
    this.#running = this.#keep();
  }

  async held(signal: AbortSignal): Promise<string> {
    while (this.#stop.signal.aborted || !this.#isFresh())
      await untilAborted(this.#answered.promise, AbortSignal.any([signal, this.#stop.signal]));
    return this.#workerId;
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
    clearInterval(this.#ticks ?? undefined);
    await this.#running;
    // Best effort: watchers see a document that stays as dead after one lease, and it expires.
    await this.#leases.deleteOne({ _id: this.#workerId }, boundedRead).catch(() => undefined);
  }

  async #keep(): Promise<void> {
    const { signal } = this.#stop;
    for (;;) {
      await pause(this.#options.leaseMs / BEATS_PER_LEASE, AbortSignal.any([signal, this.#frozen.signal]));
      if (!signal.aborted && !this.#stoodStill()) await this.#beat();
      if (signal.aborted) return;
      if (!this.#stoodStill()) continue;
      this.#workerId = randomUUID();
      this.#frozen = new AbortController();
      this.#lastBeatAt = null;
      this.#lastTickAt = this.#options.clock.monotonic();
      this.#options.onLost();
      await this.#take({ ...this.#policy, isRetryable: () => true }).catch(() => undefined);
    }
  }

  /** Writes a new lease, however long it takes. */
  async #take(policy: RetryPolicy): Promise<void> {
    const sentAt = await retry(() => this.#write(), policy);
    if (sentAt !== null) this.#isAnswered(sentAt);
  }

  /** Beats until that is answered, this process was frozen, or the lease is stopped. */
  async #beat(): Promise<void> {
    const signal = AbortSignal.any([this.#stop.signal, this.#frozen.signal]);
    const sentAt = await retry(() => this.#write(), {
      ...this.#policy,
      signal,
      isRetryable: () => true,
    }).catch(() => null);
    if (sentAt !== null && !this.#stoodStill()) this.#isAnswered(sentAt);
  }

  /** Raises the beat, and writes the document if it is missing. @returns when it was sent; null if it was not */
  async #write(): Promise<number | null> {
    const { clock, leaseMs, onServerTime } = this.#options;
    if (this.#lastBeatAt !== null && this.#stoodStill()) return null;
    const sentAt = clock.monotonic();
    const beat = { $add: [{ $ifNull: ['$beat', 0] }, 1] };
    const row = await this.#leases.findOneAndUpdate(
      { _id: this.#workerId },
      [{ $set: { beat, leaseMs, at: '$$NOW' } }],
      { upsert: true, returnDocument: 'after', ...durableWrite },
    );
    if (row !== null) onServerTime?.(row.at.getTime(), sentAt, clock.monotonic());
    // It is a first beat again: the document was missing, and other workers may have seen this one as dead.
    if (row?.beat === 1 && this.#lastBeatAt !== null) this.#lastBeatAt = Number.NEGATIVE_INFINITY;
    return sentAt;
  }

  #isAnswered(sentAt: number): void {
    const wasStale = this.#isUnreachable || (this.#lastBeatAt !== null && !this.#isFresh());
    this.#isUnreachable = false;
    this.#lastBeatAt = sentAt;
    this.#silentSince = sentAt;
    this.#answered.resolve();
    this.#answered = Promise.withResolvers();
    if (wasStale) this.#options.onRenewed?.();
  }

  /** Notices that this process was suspended, or that the database does not answer. */
  #tick(): void {
    const { clock, leaseMs, onUnreachable } = this.#options;
    if (this.#stoodStill()) {
      this.#frozen.abort(new Error('This process was suspended.'));
      return;
    }
    const now = clock.monotonic();
    this.#lastTickAt = now;
    if (this.#isUnreachable || now - this.#silentSince < UNREACHABLE_AFTER * leaseMs) return;
    this.#isUnreachable = true;
    onUnreachable?.();
  }

  /** Whether the last tick is too long ago. It stays true until the lease was lost because of it. */
  #stoodStill(): boolean {
    if (this.#frozen.signal.aborted) return true;
    const { clock, leaseMs } = this.#options;
    return clock.monotonic() - this.#lastTickAt > TRUSTED_PART * leaseMs;
  }

  #isFresh(): boolean {
    const { clock, leaseMs } = this.#options;
    return (
      this.#lastBeatAt !== null &&
      !this.#stoodStill() &&
      clock.monotonic() - this.#lastBeatAt < TRUSTED_PART * leaseMs
    );
  }
}
