import type { ChatFailure } from '../../domain/failures/chat-failure.ts';
import { providerUnavailable } from '../../domain/failures/refusals.ts';
import { CircuitBreaker } from '../../domain/limits/circuit-breaker.ts';
import { type CallMark, RateLimiter } from '../../domain/limits/rate-limiter.ts';
import type { RateLimits } from '../../domain/limits/rate-limits.ts';
import { FairQueue, type Line, type Place } from '../../domain/queues/fair-queue.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Logger } from '../../runtime/logger.ts';
import { Permit, type PermitGate } from './permit.ts';
import type { Seat, Slots, SlotWanted } from './slots.ts';

/** The scope of limits and outages. */
export interface GateKey {
  readonly provider: string;
  readonly account: string | null;
  readonly model: string;
}

export interface KeyGateOptions {
  readonly slots: Pick<Slots, 'isFree' | 'want' | 'unwant' | 'take'>;
  /** How many calls of a tenant start in each of its turns while calls have to wait, at least 1. */
  readonly weightOf: (tenantId: string) => number;
  readonly clock: Clock;
  /** 0 inclusive to 1 exclusive. */
  readonly random: () => number;
  /** What requests do while the provider is unavailable: wait, fail at once, or ignore it and call. */
  readonly outage: 'wait' | 'fail' | 'ignore';
  readonly logger: Logger;
  /** A request that had to wait was let through. */
  readonly onWaited: (key: GateKey, durationMs: number) => void;
}

interface Waiter {
  readonly seat: Seat;
  readonly tokens: number;
  readonly since: number;
  readonly grant: (permit: Permit) => void;
  readonly reject: (error: unknown) => void;
}

/** Three failures in a row: fewer than the four calls of a lone request by default, so that it too survives an outage. */
const BREAKER = { threshold: 3, baseMs: 1_000, maxMs: 15_000 };
/** Calls that may be unanswered while the provider's limits are unknown, and right after an outage. */
const FIRST_CALLS = 4;
/** After so long without an answer one more call may start, so that a few slow answers delay nobody for long. */
const PATIENCE_MS = 250;
/** Once so many calls may be unanswered after an outage, calls are no longer held back. */
const ENOUGH_CALLS = 128;
const LONGEST_TIMER_MS = 60_000;
/** The time that a request has between its permit and its call, for example to write its claim, while others wait. */
const LONGEST_HOLD_MS = 2_000;

/** Whether the provider itself has failed. Redirects, conflicts and refusals come from a provider that works. */
function isOutage({ code, httpStatus }: ChatFailure): boolean {
  if (code === 'provider_error') return httpStatus !== null && httpStatus >= 500;
  return code === 'provider_unavailable' || code === 'timeout';
}

/**
 * The gate in front of one provider, account and model. It grants permits within the known limits while the provider is
 * available. Waiting tenants take turns by their weights. A tenant's first calls and retries take turns too.
 */
export class KeyGate implements PermitGate {
  private readonly key: GateKey;
  private readonly options: KeyGateOptions;
  private readonly limiter = new RateLimiter();
  private readonly breaker = new CircuitBreaker(BREAKER);
  private readonly waiting: FairQueue<Waiter>;
  /** Granted permits whose calls have not started; the oldest first. */
  private readonly held = new Set<Permit>();
  /** The gate's place in line for a slot: a permit is granted together with a slot. */
  private turn: Place<SlotWanted> | null = null;
  private unanswered = 0;
  /** How many calls may be unanswered. */
  private allowed = FIRST_CALLS;
  private isKnown = false;
  /** Whether any call was ever answered: callers may name models that do not exist. */
  hasAnswered = false;
  private lastGrantAt = Number.NEGATIVE_INFINITY;
  private openedAt = 0;
  private timer: NodeJS.Timeout | null = null;

  constructor(key: GateKey, options: KeyGateOptions) {
    this.key = key;
    this.options = options;
    this.waiting = new FairQueue(options.weightOf);
  }

  get isIdle(): boolean {
    return this.waiting.length === 0 && this.unanswered === 0 && this.breaker.state === 'closed';
  }

  state() {
    const { provider, model } = this.key;
    return {
      provider,
      model,
      waiting: this.waiting.length,
      breaker: this.breaker.state,
      ...this.limiter.remaining,
    };
  }

  /** For a request that has a slot. @returns null if it has to wait for a permit */
  tryEnter(tokens: number): Permit | null {
    return this.waiting.length === 0 && this.waitMs(tokens) === 0 ? this.grant(tokens) : null;
  }

  /**
   * For a request without a slot.
   *
   * @param tokens what the call may be charged with
   * @returns a permit; the request then has a slot again
   * @throws the signal's reason; `ChatFailure` if the provider is unavailable and the request may not wait for it
   */
  async enter(seat: Seat, tokens: number, line: Line, signal: AbortSignal): Promise<Permit> {
    signal.throwIfAborted();
    const { outage, clock, onWaited } = this.options;
    if (outage === 'fail') this.throwIfUnavailable();
    const { promise, resolve, reject } = Promise.withResolvers<Permit>();
    const since = clock.monotonic();
    const place = this.waiting.push(seat.owner, { seat, tokens, since, grant: resolve, reject }, line);
    const stop = () => {
      if (!this.waiting.remove(place)) return;
      reject(signal.reason);
      // The request that is first now may need less.
      this.letThrough();
    };
    signal.addEventListener('abort', stop, { once: true });
    this.letThrough();
    try {
      const permit = await promise;
      onWaited(this.key, clock.monotonic() - since);
      return permit;
    } finally {
      signal.removeEventListener('abort', stop);
    }
  }

  /* ---------- What becomes of permits ---------- */

  begun(permit: Permit): CallMark {
    this.held.delete(permit);
    return this.limiter.begin(permit.tokens, this.options.clock.monotonic());
  }

  released(permit: Permit): void {
    this.held.delete(permit);
    this.unanswered -= 1;
    this.limiter.release(permit.tokens);
    if (permit.isProbe) this.breaker.abandoned(this.options.clock.monotonic());
    this.letThrough();
  }

  answered(call: CallMark, limits: RateLimits | null): void {
    this.hasAnswered = true;
    this.unanswered -= 1;
    this.limiter.answered(call, limits, this.options.clock.monotonic());
    this.reached();
    this.letThrough();
  }

  failed(permit: Permit, call: CallMark, failure: ChatFailure | null): boolean {
    this.unanswered -= 1;
    // A request larger than the limit itself says nothing about the others.
    if (failure?.code === 'rate_limited' && failure.retryable)
      this.limiter.refused(call, failure.rateLimits, failure.retryAfterMs, this.options.clock.monotonic());
    this.judge(failure, permit.isProbe);
    this.letThrough();
    return failure?.code === 'provider_unavailable' && this.breaker.state !== 'closed';
  }

  /** A probe passes even where an outage fails requests: nothing else would end the outage. */
  private throwIfUnavailable(): void {
    if (this.breaker.waitMs(this.options.clock.monotonic()) > 0) throw providerUnavailable(this.key.provider);
  }

  private waitMs(tokens: number): number {
    const now = this.options.clock.monotonic();
    const patienceMs = this.unanswered < this.allowed ? 0 : this.lastGrantAt + PATIENCE_MS - now;
    return Math.max(0, patienceMs, this.breaker.waitMs(now), this.limiter.waitMs(tokens, now));
  }

  /**
   * Grants permits in order while there are slots, and wakes up when the next one is due. If only a slot is missing, it
   * stands in line for one and grants nothing meanwhile.
   */
  private letThrough(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    const { slots } = this.options;
    for (let first = this.waiting.peek(); first !== undefined; first = this.waiting.peek()) {
      const waitMs = this.waitMs(first.tokens);
      if (waitMs > 0) {
        this.wakeUpAfter(Math.min(waitMs, this.holdMs()));
        return;
      }
      if (this.turn !== null) return;
      if (!slots.isFree) {
        this.turn = slots.want(first.seat.owner, () => this.slotIsFree());
        return;
      }
      this.letFirstThrough();
    }
    if (this.turn !== null) slots.unwant(this.turn);
    this.turn = null;
  }

  /** Its turn for a slot has come. It uses the slot, unless a permit is no longer due. */
  private slotIsFree(): void {
    this.turn = null;
    const first = this.waiting.peek();
    if (first !== undefined && this.waitMs(first.tokens) === 0) this.letFirstThrough();
    this.letThrough();
  }

  private letFirstThrough(): void {
    const first = this.waiting.shift();
    if (first === undefined) return;
    this.options.slots.take(first.seat);
    first.grant(this.grant(first.tokens));
  }

  private wakeUpAfter(waitMs: number): void {
    if (!Number.isFinite(waitMs)) return;
    const wakeUp = () => {
      this.takeBackUnused();
      this.letThrough();
    };
    this.timer = setTimeout(wakeUp, Math.min(LONGEST_TIMER_MS, Math.ceil(waitMs)));
  }

  /** How long the oldest permit may still be held without a call. */
  private holdMs(): number {
    for (const { grantedAt } of this.held)
      return Math.max(0, grantedAt + LONGEST_HOLD_MS - this.options.clock.monotonic());
    return Number.POSITIVE_INFINITY;
  }

  private takeBackUnused(): void {
    while (this.holdMs() === 0) {
      const [oldest] = this.held;
      oldest?.release();
    }
  }

  private grant(tokens: number): Permit {
    const now = this.options.clock.monotonic();
    this.limiter.reserve(tokens, now);
    this.unanswered += 1;
    this.lastGrantAt = now;
    const permit = new Permit(this, tokens, this.breaker.letThrough(), now);
    this.held.add(permit);
    return permit;
  }

  private judge(failure: ChatFailure | null, isProbe: boolean): void {
    const now = this.options.clock.monotonic();
    // A call that outlasts its wait proves neither that the provider is unavailable nor that it is available.
    if (failure === null || failure.code === 'internal' || failure.outwaited) {
      if (isProbe) this.breaker.abandoned(now);
    } else if (this.options.outage === 'ignore' || !isOutage(failure)) this.reached();
    else if (this.breaker.failed(isProbe, now, this.options.random())) this.opened(failure, now);
  }

  private opened(failure: ChatFailure, now: number): void {
    const { provider, model } = this.key;
    this.openedAt = now;
    this.options.logger.warn(
      { provider, model, code: failure.code, waiting: this.waiting.length },
      'provider unavailable; holding calls back',
    );
    if (this.options.outage === 'fail') this.failWaiting();
  }

  /** The provider has answered, even if with a refusal. */
  private reached(): void {
    if (this.breaker.succeeded()) {
      const { provider, model } = this.key;
      const outageMs = Math.round(this.options.clock.monotonic() - this.openedAt);
      this.options.logger.warn(
        { provider, model, outageMs, waiting: this.waiting.length },
        'provider available again',
      );
      // The provider faces everything that waited: allow twice as many calls with each round of answers.
      this.allowed = this.unanswered + FIRST_CALLS;
    } else if (!this.isKnown) this.allowed = Number.POSITIVE_INFINITY;
    else this.allowed += 1;
    if (this.allowed > ENOUGH_CALLS) this.allowed = Number.POSITIVE_INFINITY;
    this.isKnown = true;
  }

  private failWaiting(): void {
    for (let waiter = this.waiting.shift(); waiter !== undefined; waiter = this.waiting.shift())
      waiter.reject(providerUnavailable(this.key.provider));
  }
}
