import type { Claim, RequestIdentity, RequestLedger, WorkerLease } from '../../ports/ledger.ts';
import { untilAborted } from '../../runtime/until-aborted.ts';

const FIRST_LOOK_MS = 250;
const LONGEST_LOOK_MS = 4_000;

export type HeldClaim = Extract<Claim, { kind: 'held' }>;

/**
 * How another worker's claim ended. `changed`: by its owner (an outcome, a release) or by a worker that took it over. `crashed`,
 * `stopped`: its owner is dead, after a crash or a regular stop.
 */
export type ClaimEnd = 'changed' | 'crashed' | 'stopped';

interface Watch {
  readonly end: Promise<ClaimEnd>;
  readonly stop: AbortController;
  callers: number;
}

/**
 * Watches claims of other workers, with one watch per claim however many of this worker's records wait for it. It reads the
 * ledger at growing intervals and writes nothing.
 */
export class ClaimWatches {
  private readonly ledger: Pick<RequestLedger, 'claimToken'>;
  private readonly lease: Pick<WorkerLease, 'isDead' | 'hasEnded'>;
  private readonly watches = new Map<string, Watch>();

  constructor(ledger: Pick<RequestLedger, 'claimToken'>, lease: Pick<WorkerLease, 'isDead' | 'hasEnded'>) {
    this.ledger = ledger;
    this.lease = lease;
  }

  /** @throws the signal's reason; what the ledger throws */
  async untilEnded(identity: RequestIdentity, claim: HeldClaim, signal: AbortSignal): Promise<ClaimEnd> {
    signal.throwIfAborted();
    const watch = this.watches.get(claim.heldToken) ?? this.begin(identity, claim);
    watch.callers += 1;
    try {
      return await untilAborted(watch.end, signal);
    } finally {
      watch.callers -= 1;
      if (watch.callers === 0) {
        watch.stop.abort();
        if (this.watches.get(claim.heldToken) === watch) this.watches.delete(claim.heldToken);
      }
    }
  }

  private begin(identity: RequestIdentity, claim: HeldClaim): Watch {
    const stop = new AbortController();
    const end = Promise.race([
      this.untilChanged(identity, claim.heldToken, stop.signal),
      // If the lease cannot be watched, the ledger is still read.
      this.untilDead(claim.owner, stop.signal).catch(() => new Promise<never>(() => undefined)),
    ]);
    const watch = { end, stop, callers: 0 };
    // Nobody may be left to hear that the watch ended.
    end.catch(() => undefined);
    this.watches.set(claim.heldToken, watch);
    return watch;
  }

  private async untilChanged(
    identity: RequestIdentity,
    token: string,
    signal: AbortSignal,
  ): Promise<ClaimEnd> {
    for (let delayMs = FIRST_LOOK_MS; ; delayMs = Math.min(2 * delayMs, LONGEST_LOOK_MS)) {
      await pause(delayMs, signal);
      if ((await untilAborted(this.ledger.claimToken(identity), signal)) !== token) return 'changed';
    }
  }

  /** Watching a lease takes longer than reading the ledger, so this watch lasts across reads. */
  private async untilDead(owner: string, signal: AbortSignal): Promise<ClaimEnd> {
    while (!(await this.lease.isDead(owner, signal))) signal.throwIfAborted();
    return (await this.lease.hasEnded(owner)) ? 'stopped' : 'crashed';
  }
}

/** @throws the signal's reason if it fires first */
async function pause(delayMs: number, signal: AbortSignal): Promise<void> {
  const over = Promise.withResolvers<void>();
  const timer = setTimeout(over.resolve, delayMs);
  try {
    await untilAborted(over.promise, signal);
  } finally {
    clearTimeout(timer);
  }
}
