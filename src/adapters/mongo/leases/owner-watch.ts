import type { Collection } from 'mongodb';
import type { Clock } from '../../../ports/clock.ts';
import { boundedRead } from '../client/durable-write.ts';
import { pause, type RetryPolicy, retry, untilAborted } from '../client/retry.ts';
import type { LeaseRow } from './lease-row.ts';

/** How often a beat is read during its owner's lease. */
const LOOKS_PER_LEASE = 4;
/** The most that counts between two reads, as part of a lease: time in which the watcher was suspended is not watched time. */
const COUNTED_PER_LOOK = 3;
/** If a read takes longer than this and a part of the lease, the database was unreachable for some of the time. */
const SLOW_LOOK_MS = 250;
/** Majority reads: a primary that lost its majority without noticing must not report a stale beat. */
const majorityRead = { readConcern: 'linearizable', readPreference: 'primary', ...boundedRead } as const;

interface Look {
  readonly row: LeaseRow | null;
  /** By the monotonic clock. */
  readonly sentAt: number;
  /** The database was unreachable since the previous read, or answered late. */
  readonly wasInterrupted: boolean;
}

interface Watch {
  readonly verdict: Promise<boolean>;
  readonly stop: AbortController;
  callers: number;
}

/**
 * Watches the beats of other workers. Concurrent callers for the same owner share one watch. Only time in which the database
 * was reachable counts as an owner's silence.
 */
export class OwnerWatch {
  readonly #leases: Collection<LeaseRow>;
  readonly #clock: Clock;
  readonly #policy: RetryPolicy;
  readonly #watches = new Map<string, Watch>();

  constructor(leases: Collection<LeaseRow>, clock: Clock, policy: RetryPolicy) {
    this.#leases = leases;
    this.#clock = clock;
    this.#policy = policy;
  }

  /**
   * True as soon as the owner is known to be dead, false as soon as it has renewed its beat.
   *
   * @throws the signal's reason
   */
  async isDead(owner: string, signal: AbortSignal): Promise<boolean> {
    signal.throwIfAborted();
    const watch = this.#watches.get(owner) ?? this.#begin(owner);
    watch.callers += 1;
    try {
      return await untilAborted(watch.verdict, signal);
    } finally {
      watch.callers -= 1;
      if (watch.callers === 0) {
        watch.stop.abort();
        this.#watches.delete(owner);
      }
    }
  }

  /** As in `WorkerLease`. A lease that is missing was removed by its owner, or has expired. */
  async hasEnded(owner: string): Promise<boolean> {
    const lease = await retry(() => this.#leases.findOne({ _id: owner }, boundedRead), this.#policy);
    return lease?.stopping ?? lease === null;
  }

  #begin(owner: string): Watch {
    const stop = new AbortController();
    const signal = AbortSignal.any([stop.signal, this.#policy.signal]);
    const watch = { verdict: this.#watch(owner, { ...this.#policy, signal }), stop, callers: 0 };
    // There may be no caller left to handle the rejection.
    watch.verdict.catch(() => undefined);
    this.#watches.set(owner, watch);
    return watch;
  }

  async #watch(owner: string, policy: RetryPolicy): Promise<boolean> {
    let last = await this.#look(owner, policy);
    const { row: first } = last;
    let stillForMs = 0;
    for (;;) {
      if (first === null || last.row === null) return true;
      if (last.row.beat !== first.beat) return false;
      if (stillForMs >= first.leaseMs) return true;
      await pause(first.leaseMs / LOOKS_PER_LEASE, policy.signal);
      const next = await this.#look(owner, policy);
      // The owner may have been cut off from the database like this watcher, so it gets a whole lease to renew its beat.
      if (next.wasInterrupted) stillForMs = 0;
      else stillForMs += Math.min(next.sentAt - last.sentAt, first.leaseMs / COUNTED_PER_LOOK);
      last = next;
    }
  }

  async #look(owner: string, policy: RetryPolicy): Promise<Look> {
    let failures = 0;
    let sentAt = 0;
    const onRetry = (error: unknown) => {
      failures += 1;
      policy.onRetry(error);
    };
    const row = await retry(
      () => {
        // Taken before the read, so that a beat during the read is not missed.
        sentAt = this.#clock.monotonic();
        return this.#leases.findOne({ _id: owner }, majorityRead);
      },
      { ...policy, onRetry },
    );
    const slowMs = Math.max(SLOW_LOOK_MS, (row?.leaseMs ?? 0) / LOOKS_PER_LEASE);
    const tookMs = this.#clock.monotonic() - sentAt;
    return { row, sentAt, wasInterrupted: failures > 0 || tookMs > slowMs };
  }
}
