import { setTimeout as pass } from 'node:timers/promises';
import type { Line } from '../../domain/queues/fair-queue.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Admission } from '../admission/admission.ts';
import type { Permit } from '../admission/permit.ts';
import type { CallPlan } from '../admission/plan-call.ts';
import type { Seat } from '../admission/slots.ts';
import type { TimeLimit } from '../admission/time-limit.ts';
import type { OwnClaim } from '../claims/own-claim.ts';
import { type QuarantineStay, reenterQuarantine, type Supply } from '../claims/quarantine.ts';

export interface PermitsOptions {
  readonly admission: Admission;
  readonly clock: Clock;
  readonly seat: Seat;
  readonly plan: CallPlan;
  readonly claim: OwnClaim;
  /** For a suspect that is called from quarantine; null for any other request. */
  readonly stay: QuarantineStay | null;
  /** The request's time limit, which is paused while it waits for a permit. */
  readonly limit: TimeLimit;
}

/**
 * The permits of a claimed request, one after the other. Each is held until its call starts, unless its gate revokes it.
 *
 *   held ──► begun (permit.ts) ──next()──► held
 *    └─ revoked by its gate ──hold()──► held
 */
export class OwnPermits {
  readonly limit: TimeLimit;
  private readonly options: PermitsOptions;
  private permit: Permit | null;

  constructor(options: PermitsOptions, admitted: Permit | null) {
    this.options = options;
    this.limit = options.limit;
    this.permit = admitted;
  }

  /** A permit for a call that is made now. @throws `ChatFailure` if it cannot wait any longer */
  async hold(): Promise<Permit> {
    while (!this.permit?.isHeld) await this.next('again', 0);
    return this.permit;
  }

  /** Takes a permit for a further call, after a delay. @throws as `hold` */
  async next(line: Line, delayMs: number): Promise<void> {
    const { clock, claim, stay, limit } = this.options;
    const supply = this.supply(line, delayMs);
    if (delayMs === 0) limit.pause(clock.now());
    try {
      this.permit = await (stay === null
        ? supply.take(() => undefined)
        : reenterQuarantine(stay, supply, claim));
    } finally {
      limit.resume(clock.now());
    }
  }

  /** No call is made with the permit. Has no effect if one was made. */
  release(): void {
    this.permit?.release();
  }

  /** The wait for a permit does not count as the request's time. A delay before it does. */
  private supply(line: Line, delayMs: number): Supply<Permit> {
    const { admission, clock, seat, plan, limit } = this.options;
    const within = { deadline: null, signal: limit.signal };
    let leftMs = delayMs;
    const delay = async (ended: AbortSignal) => {
      await pass(leftMs, undefined, { signal: ended }).catch(() => ended.throwIfAborted());
      leftMs = 0;
      limit.pause(clock.now());
    };
    return {
      take: async (beforeWait) => {
        const free = leftMs === 0 ? admission.tryEnter(plan) : null;
        if (free !== null) return free;
        beforeWait();
        return admission.enter(seat, plan, line, within, leftMs === 0 ? null : delay);
      },
      release: (permit) => permit.release(),
      wait: (work) => admission.wait(seat, work, within),
    };
  }
}
