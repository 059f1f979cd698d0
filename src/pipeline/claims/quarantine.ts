import { untilAborted } from '../../runtime/until-aborted.ts';
import type { OwnClaim } from './own-claim.ts';

/**
 * A worker's single place for suspects. A suspect is a request that was in flight in two crashed workers. It is claimed and called
 * only from this place, while other requests run beside it. If the worker crashes, only the suspect in this place is charged with
 * the crash.
 *
 * ```
 *               turn comes                       outcome
 *   waiting ───────────────► in quarantine ──────────────────► cleared
 *   (no claim, no slot,       │   ▲   (claim.quarantined)
 *    no permit, no memory)    │   │
 *      ▲                      │   └── has permit and turn, ledger updated
 *      └── released: drain,   └─► waiting for a permit for a further call
 *          lease lost              (claim kept, claim.quarantined false, place left)
 * ```
 *
 * The place passes on when its holder leaves, in the order of asking. No timer is involved.
 */
export class Quarantine {
  private isTaken = false;
  private readonly waiting = new Set<() => void>();

  /** For one request's way in and out. */
  open(): QuarantineStay {
    return new QuarantineStay(this);
  }

  /** @internal for stays */
  tryTake(): boolean {
    if (this.isTaken) return false;
    this.isTaken = true;
    return true;
  }

  /** @internal for stays */
  async take(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.tryTake()) return;
    const turn = Promise.withResolvers<void>();
    this.waiting.add(turn.resolve);
    try {
      await untilAborted(turn.promise, signal);
    } catch (error) {
      // Its turn came just as it gave up.
      if (!this.waiting.delete(turn.resolve)) this.give();
      throw error;
    }
  }

  /** @internal for stays */
  give(): void {
    const [next] = this.waiting;
    if (next === undefined) {
      this.isTaken = false;
      return;
    }
    this.waiting.delete(next);
    next();
  }
}

/** A suspect's stay in its worker's quarantine. It may enter and leave any number of times. */
export class QuarantineStay {
  private readonly quarantine: Quarantine;
  private inside = false;

  constructor(quarantine: Quarantine) {
    this.quarantine = quarantine;
  }

  get isInside(): boolean {
    return this.inside;
  }

  /** @returns whether it is inside */
  tryEnter(): boolean {
    this.inside ||= this.quarantine.tryTake();
    return this.inside;
  }

  /** @throws the signal's reason if it fires first */
  async enter(signal: AbortSignal): Promise<void> {
    if (this.inside) return;
    await this.quarantine.take(signal);
    this.inside = true;
  }

  /** Has no effect outside. */
  leave(): void {
    if (!this.inside) return;
    this.inside = false;
    this.quarantine.give();
  }
}

/** Takes what a call needs, and releases it. */
export interface Supply<Taken> {
  /**
   * @param beforeWait called before it waits for anything
   * @throws `ChatFailure` if it cannot wait any longer
   */
  take(beforeWait: () => void): Promise<Taken>;
  release(taken: Taken): void;
  /** Waits for a turn in quarantine. @throws `ChatFailure` if that takes too long */
  wait(work: (signal: AbortSignal) => Promise<void>): Promise<void>;
}

/**
 * Enters quarantine with what a call needs, and holds neither while it waits for the other.
 *
 * @throws as the supply does; the stay is then outside
 */
export async function enterQuarantine<Taken>(stay: QuarantineStay, supply: Supply<Taken>): Promise<Taken> {
  try {
    for (;;) {
      if (!stay.tryEnter()) await supply.wait((ended) => stay.enter(ended));
      const taken = await supply.take(() => stay.leave());
      if (stay.tryEnter()) return taken;
      supply.release(taken);
    }
  } catch (error) {
    stay.leave();
    throw error;
  }
}

/**
 * Takes what a further call under a quarantined claim needs. If it has to wait, it keeps the claim and leaves the place: an outage
 * of one model blocks no suspect of another one, and no crash is charged without a call.
 *
 * @throws ClaimLost; as the supply does
 */
export async function reenterQuarantine<Taken>(
  stay: QuarantineStay,
  supply: Supply<Taken>,
  claim: Pick<OwnClaim, 'setQuarantined'>,
): Promise<Taken> {
  let leaving: Promise<void> | null = null;
  const leave = () => {
    leaving ??= claim.setQuarantined(false).then(() => stay.leave());
    leaving.catch(() => undefined);
  };
  let taken = await supply.take(leave);
  if (leaving === null) return taken;
  let isHeld = true;
  try {
    await leaving;
    if (!stay.tryEnter()) {
      supply.release(taken);
      isHeld = false;
      taken = await enterQuarantine(stay, supply);
      isHeld = true;
    }
    await claim.setQuarantined(true);
    return taken;
  } catch (error) {
    if (isHeld) supply.release(taken);
    throw error;
  }
}
