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
  /** Of a suspect that is called from quarantine; null for any other request. */
  readonly stay: QuarantineStay | null;
  /** The request's time, which stands still while a permit is waited for. */
  readonly limit: TimeLimit;
}

/**
 * The permits of a claimed request, one after the other. Each is held until its call begins, unless its gate takes it back.
 *
 *   held ──► begun (permit.ts) ──next()──► held
 *    └─ taken back by its gate ──hold()──► held
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

  /** A permit for the call that is made now. @throws `ChatFailure` when it cannot be waited for any longer */
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

  /** No call is made with it. Harmless when one was. */
  release(): void {
    this.permit?.release();
  }

  /** The time that a permit is waited for does not count as time of the request, a delay before it does. */
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
