import { untilAborted } from '../../runtime/until-aborted.ts';
import type { OwnClaim } from './own-claim.ts';

/**
 * A worker's one place for suspects. A suspect is a request that two workers crashed with; it is claimed again, and called,
 * only from this place, while requests that are no suspects go on beside it. Should the worker crash, the suspect in its place
 * is charged with it and nobody else.
 *
 * ```
 *               turn comes                       outcome
 *   waiting ───────────────► in quarantine ──────────────────► cleared
 *   (no claim, no slot,       │   ▲   (claim.quarantined)
 *    no permit, no memory)    │   │
 *      ▲                      │   └── permit and turn are there, ledger updated
 *      └── released: drain,   └─► waiting for a permit for a further call
 *          lease lost              (claim kept, claim.quarantined false, place left)
 * ```
 *
 * The place is handed over when it is left, in the order of asking, and by no timer.
 */
export class Quarantine {
  private isTaken = false;
  private readonly waiting = new Set<() => void>();

  /** For one request's way through it. */
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
      // Its turn came in the moment in which it gave up.
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

/** A suspect's way through its worker's quarantine: outside or inside, any number of times. */
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

  /** @throws the signal's reason when it fires first */
  async enter(signal: AbortSignal): Promise<void> {
    if (this.inside) return;
    await this.quarantine.take(signal);
    this.inside = true;
  }

  /** Harmless when it is outside. */
  leave(): void {
    if (!this.inside) return;
    this.inside = false;
    this.quarantine.give();
  }
}

/** Takes what a call needs, and gives it back again. */
export interface Supply<Taken> {
  /**
   * @param beforeWait called before it waits for anything
   * @throws `ChatFailure` when it cannot be waited for any longer
   */
  take(beforeWait: () => void): Promise<Taken>;
  release(taken: Taken): void;
  /** Waits for a turn in quarantine. @throws `ChatFailure` when that takes too long */
  wait(work: (signal: AbortSignal) => Promise<void>): Promise<void>;
}

/**
 * Enters quarantine with what a call needs, and holds neither while it waits for the other.
 *
 * @throws as the supply does; it is outside then
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
 * What a further call under a quarantined claim needs. When it has to be waited for, the claim is kept and the place left
 * meanwhile: an outage of one model keeps no suspect of another one waiting, and no crash is charged without a call.
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
