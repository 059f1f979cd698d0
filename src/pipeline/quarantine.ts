import type { RequestIdentity, RequestLedger } from '../ports.ts';
import { ClaimLost } from './claim-request.ts';
import { untilAborted } from './until-aborted.ts';
import { type ParkingOptions, waitParked } from './wait-parked.ts';

/**
 * A worker's one place for suspects. A suspect is a request that a crashed worker had claimed; it is claimed again, and called,
 * only from this place, while requests that are no suspects go on beside it. Should the worker crash, the suspect in its place
 * is charged with it and nobody else: those beside it become suspects without a charge.
 *
 * ```
 *               turn comes                       outcome
 *   waiting ───────────────► in quarantine ──────────────────► cleared
 *   (no claim, no slot,       │   ▲   (claim.quarantined)
 *    no permit, no memory)    │   │
 *      ▲                      │   └── permit and turn are there, ledger told
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

/** Takes what a call needs, parks with what it is given when that has to be waited for, and gives it back again. */
export interface Admission<Taken> {
  /** @throws `ChatFailure` when it cannot be waited for any longer */
  take(parking: ParkingOptions): Promise<Taken>;
  giveBack(taken: Taken): void;
}

/**
 * Enters quarantine with what a call needs, and holds neither while it waits for the other.
 *
 * @param deadline epoch ms, which ends the waiting for a turn; null when the signal takes care of it
 * @throws `ChatFailure` when the deadline passes, as `waitParked` and the admission do; it is outside then
 */
export async function enterQuarantine<Taken>(
  stay: QuarantineStay,
  { take, giveBack }: Admission<Taken>,
  deadline: number | null,
  options: ParkingOptions,
  signal: AbortSignal,
): Promise<Taken> {
  const park = () => {
    stay.leave();
    return options.park();
  };
  try {
    for (;;) {
      if (!stay.tryEnter()) await waitParked((ended) => stay.enter(ended), deadline, options, signal);
      const taken = await take({ ...options, park });
      if (stay.tryEnter()) return taken;
      giveBack(taken);
    }
  } catch (error) {
    stay.leave();
    throw error;
  }
}

/** A claim under which calls are made from quarantine. */
export interface QuarantinedClaim {
  readonly identity: RequestIdentity;
  readonly token: string;
  readonly ledger: Pick<RequestLedger, 'setQuarantined'>;
}

/**
 * What a further call under a quarantined claim needs. When it has to be waited for, the claim is kept and the place left
 * meanwhile: an outage of one model keeps no suspect of another one waiting, and no crash is charged without a call.
 *
 * @throws ClaimLost; `ChatFailure` as the admission does
 */
export async function reenterQuarantine<Taken>(
  stay: QuarantineStay,
  admission: Admission<Taken>,
  { identity, token, ledger }: QuarantinedClaim,
  options: ParkingOptions,
  signal: AbortSignal,
): Promise<Taken> {
  const mark = async (isQuarantined: boolean) => {
    if (!(await ledger.setQuarantined(identity, token, isQuarantined))) throw new ClaimLost();
  };
  let leaving: Promise<void> | null = null;
  const park = () => {
    leaving ??= mark(false).then(() => stay.leave());
    leaving.catch(() => undefined);
    return options.park();
  };
  let taken = await admission.take({ ...options, park });
  if (leaving === null) return taken;
  let isHeld = true;
  try {
    await leaving;
    if (!stay.tryEnter()) {
      admission.giveBack(taken);
      isHeld = false;
      taken = await enterQuarantine(stay, admission, null, options, signal);
      isHeld = true;
    }
    await mark(true);
    return taken;
  } catch (error) {
    if (isHeld) admission.giveBack(taken);
    throw error;
  }
}
