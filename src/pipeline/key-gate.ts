import type { ChatFailure } from '../domain/chat-failure.ts';
import { CircuitBreaker } from '../domain/circuit-breaker.ts';
import { Deque } from '../domain/deque.ts';
import { type CallMark, RateLimiter } from '../domain/rate-limiter.ts';
import type { RateLimits } from '../domain/rate-limits.ts';
import { providerAway } from '../domain/refusals.ts';
import type { Logger } from '../logger.ts';
import type { Clock } from '../ports.ts';
import type { GateKey } from './provider-gate.ts';

export interface KeyGateOptions {
  readonly clock: Clock;
  /** 0 inclusive to 1 exclusive. */
  readonly random: () => number;
  /** Whether requests wait while the provider is away, fail at once, or are sent as ever. */
  readonly outage: 'wait' | 'fail' | 'ignore';
  readonly logger: Logger;
  /** A request was let through after it had to wait. */
  readonly onWaited: (key: GateKey, durationMs: number) => void;
}

/** The right to make one call: given back, or begun and then answered or failed. */
export interface Permit {
  /** The call is not made; does nothing once it has begun. */
  giveBack(): void;
  /** The call is made now. */
  begin(): void;
  /** Its answer began. */
  answered(limits: RateLimits | null): void;
  /**
   * It ended without an answer; null when that was nobody's failure.
   *
   * @returns whether it did so because the provider is away, so that it says nothing about the request
   */
  failed(failure: ChatFailure | null): boolean;
}

interface Waiter {
  readonly tokens: number;
  readonly since: number;
  readonly order: 'next' | 'last';
  /** Null when it does not wait any more. */
  grant: ((permit: Permit) => void) | null;
  reject: (error: unknown) => void;
}

/** Three failures in a row: below the four calls that a lone request makes by default, so that it too outlives an outage. */
const BREAKER = { threshold: 3, baseMs: 1_000, maxMs: 15_000 };
/** Calls that may be unanswered while nothing is known of a provider's limits, and at first after an outage. */
const FIRST_CALLS = 4;
/** Silence after which one more of them goes, so that a few slow answers keep nobody waiting for long. */
const PATIENCE_MS = 250;
/** From so many unanswered calls on nothing is held back any more after an outage. */
const ENOUGH_CALLS = 128;
const LONGEST_TIMER_MS = 60_000;

/** Whether the provider itself has failed. Redirects, conflicts and refusals come from one that works. */
function isOutage({ code, httpStatus }: ChatFailure): boolean {
  if (code === 'provider_error') return httpStatus !== null && httpStatus >= 500;
  return code === 'provider_unavailable' || code === 'timeout';
}

/** The gate before one provider, account and model. */
export class KeyGate {
  private readonly key: GateKey;
  private readonly options: KeyGateOptions;
  private readonly limiter = new RateLimiter();
  private readonly breaker = new CircuitBreaker(BREAKER);
  private readonly queues = { next: new Deque<Waiter>(), last: new Deque<Waiter>() };
  private waiting = 0;
  private unanswered = 0;
  /** How many calls may be unanswered. */
  private allowed = FIRST_CALLS;
  private isKnown = false;
  private lastGrantAt = Number.NEGATIVE_INFINITY;
  private openedAt = 0;
  private timer: NodeJS.Timeout | null = null;

  constructor(key: GateKey, options: KeyGateOptions) {
    this.key = key;
    this.options = options;
  }

  get isIdle(): boolean {
    return this.waiting === 0 && this.unanswered === 0 && this.breaker.state === 'closed';
  }

  state() {
    const { provider, model } = this.key;
    return { provider, model, waiting: this.waiting, breaker: this.breaker.state, ...this.limiter.remaining };
  }

  tryEnter(tokens: number): Permit | null {
    return this.waiting === 0 && this.waitMs(tokens) === 0 ? this.grant(tokens) : null;
  }

  async enter(tokens: number, order: 'next' | 'last', signal: AbortSignal): Promise<Permit> {
    signal.throwIfAborted();
    const { outage, clock, onWaited } = this.options;
    if (outage === 'fail') this.throwIfAway();
    const { promise, resolve, reject } = Promise.withResolvers<Permit>();
    const since = clock.monotonic();
    const waiter: Waiter = { tokens, since, order, grant: resolve, reject };
    const stop = () => {
      if (this.leave(waiter)) reject(signal.reason);
    };
    signal.addEventListener('abort', stop, { once: true });
    this.queues[order].push(waiter);
    this.waiting += 1;
    this.letThrough();
    try {
      const permit = await promise;
      onWaited(this.key, clock.monotonic() - since);
      return permit;
    } finally {
      signal.removeEventListener('abort', stop);
    }
  }

  /** A probe goes through even where an outage fails requests: nothing else would end it. */
  private throwIfAway(): void {
    if (this.breaker.waitMs(this.options.clock.monotonic()) > 0) throw providerAway(this.key.provider);
  }

  private leave(waiter: Waiter): boolean {
    if (waiter.grant === null) return false;
    waiter.grant = null;
    this.waiting -= 1;
    return true;
  }

  private waitMs(tokens: number): number {
    const now = this.options.clock.monotonic();
    const patienceMs = this.unanswered < this.allowed ? 0 : this.lastGrantAt + PATIENCE_MS - now;
    return Math.max(0, patienceMs, this.breaker.waitMs(now), this.limiter.waitMs(tokens, now));
  }

  /** Lets through who may go, in order; wakes up again when the first of the others may. */
  private letThrough(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    for (;;) {
      const queue = this.firstQueue();
      const waiter = queue?.peek();
      if (queue === null || waiter === undefined) return;
      const waitMs = this.waitMs(waiter.tokens);
      if (waitMs > 0) {
        if (Number.isFinite(waitMs))
          this.timer = setTimeout(() => this.letThrough(), Math.min(LONGEST_TIMER_MS, Math.ceil(waitMs)));
        return;
      }
      queue.shift();
      const { grant } = waiter;
      this.leave(waiter);
      grant?.(this.grant(waiter.tokens));
    }
  }

  /** The queue whose first one is next; those that have left it are dropped on the way. */
  private firstQueue(): Deque<Waiter> | null {
    for (const queue of [this.queues.next, this.queues.last]) {
      while (queue.peek()?.grant === null) queue.shift();
      if (queue.length > 0) return queue;
    }
    return null;
  }

  private grant(tokens: number): Permit {
    const { clock } = this.options;
    const now = clock.monotonic();
    this.limiter.reserve(tokens, now);
    this.unanswered += 1;
    this.lastGrantAt = now;
    const isProbe = this.breaker.letThrough();
    let mark: CallMark | null = null;
    let isGivenBack = false;
    const over = () => {
      this.unanswered -= 1;
    };
    return {
      giveBack: () => {
        if (isGivenBack || mark !== null) return;
        isGivenBack = true;
        over();
        this.limiter.giveBack(tokens);
        if (isProbe) this.breaker.abandoned(clock.monotonic());
        this.letThrough();
      },
      begin: () => {
        mark = this.limiter.begin(tokens, clock.monotonic());
      },
      answered: (limits) => {
        over();
        if (mark !== null) this.limiter.answered(mark, limits, clock.monotonic());
        this.reached();
        this.letThrough();
      },
      failed: (failure) => {
        over();
        if (failure?.code === 'rate_limited' && mark !== null)
          this.limiter.refused(mark, failure.rateLimits, failure.retryAfterMs, clock.monotonic());
        this.judge(failure, isProbe);
        this.letThrough();
        return failure?.code === 'provider_unavailable' && this.breaker.state !== 'closed';
      },
    };
  }

  private judge(failure: ChatFailure | null, isProbe: boolean): void {
    const now = this.options.clock.monotonic();
    if (failure === null || failure.code === 'internal') {
      if (isProbe) this.breaker.abandoned(now);
    } else if (this.options.outage === 'ignore' || !isOutage(failure)) this.reached();
    else if (this.breaker.failed(isProbe, now, this.options.random())) this.opened(failure, now);
  }

  private opened(failure: ChatFailure, now: number): void {
    const { provider, model } = this.key;
    this.openedAt = now;
    this.options.logger.warn(
      { provider, model, code: failure.code, waiting: this.waiting },
      'the provider is away; calls are held back',
    );
    if (this.options.outage === 'fail') this.failWaiting();
  }

  /** The provider has answered, be it with a refusal. */
  private reached(): void {
    if (this.breaker.succeeded()) {
      const { provider, model } = this.key;
      const outageMs = Math.round(this.options.clock.monotonic() - this.openedAt);
      this.options.logger.warn({ provider, model, outageMs, waiting: this.waiting }, 'the provider is back');
      // It comes back to everything that waited: twice as many calls with each round of answers.
      this.allowed = this.unanswered + FIRST_CALLS;
    } else if (!this.isKnown) this.allowed = Number.POSITIVE_INFINITY;
    else this.allowed += 1;
    if (this.allowed > ENOUGH_CALLS) this.allowed = Number.POSITIVE_INFINITY;
    this.isKnown = true;
  }

  private failWaiting(): void {
    for (const queue of [this.queues.next, this.queues.last]) {
      for (let waiter = queue.shift(); waiter !== undefined; waiter = queue.shift()) {
        if (this.leave(waiter)) waiter.reject(providerAway(this.key.provider));
      }
    }
  }
}
