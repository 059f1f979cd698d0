import type { Collection } from 'mongodb';
import type { Clock } from '../../ports.ts';
import { boundedRead } from './durable-write.ts';
import type { LeaseRow } from './lease-row.ts';
import { pause, type RetryPolicy, retry, untilAborted } from './retry.ts';

/** How often a beat is looked at during its owner's lease. */
const LOOKS_PER_LEASE = 4;

interface Watch {
  readonly verdict: Promise<boolean>;
  readonly stop: AbortController;
  callers: number;
}

/** Watches the beats of other workers. All who ask for the same owner at the same time share one watch. */
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
   * True as soon as the owner is known to be dead, false as soon as it has beaten.
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
    // Nobody may be left to hear that the watch was ended.
    watch.verdict.catch(() => undefined);
    this.#watches.set(owner, watch);
    return watch;
  }

  async #watch(owner: string, policy: RetryPolicy): Promise<boolean> {
    const look = () => retry(() => this.#leases.findOne({ _id: owner }, boundedRead), policy);
    const first = await look();
    if (first === null) return true;
    const since = this.#clock.monotonic();
    for (;;) {
      await pause(first.leaseMs / LOOKS_PER_LEASE, policy.signal);
      // Taken before the look: a beat that comes while we look is not missed, and a lease that we slept through was not watched.
      const stillForMs = this.#clock.monotonic() - since;
      const now = await look();
      if (now === null) return true;
      if (now.beat !== first.beat) return false;
      if (stillForMs >= first.leaseMs) return true;
    }
  }
}
