export type BreakerState = 'closed' | 'open' | 'half_open';

export interface BreakerOptions {
  /** Failures in a row that open it. */
  readonly threshold: number;
  /** The first wait's upper bound, in milliseconds; it doubles with each probe that fails. */
  readonly baseMs: number;
  readonly maxMs: number;
}

/**
 * Keeps calls from a provider that is away, but for one at a time to see whether it is back.
 *
 *              threshold failures in a row          its time has come: one probe
 *   closed ──────────────────────────────► open ──────────────────────────────► half_open
 *      ▲                                    │ ▲        the probe failed             │ │
 *      │           any call succeeded       │ └─────────────────────────────────────┘ │
 *      └────────────────────────────────────┴────────────────────────────────────────┘
 *
 * Times are monotonic milliseconds.
 */
export class CircuitBreaker {
  private readonly options: BreakerOptions;
  private failures = 0;
  private failedProbes = 0;
  private current: BreakerState = 'closed';
  private probeAt = 0;

  constructor(options: BreakerOptions) {
    this.options = options;
  }

  get state(): BreakerState {
    return this.current;
  }

  /** Milliseconds until a call may be made; infinite while a probe is under way. */
  waitMs(now: number): number {
    if (this.current === 'closed') return 0;
    return this.current === 'half_open' ? Number.POSITIVE_INFINITY : Math.max(0, this.probeAt - now);
  }

  /** A call is let through. @returns whether it is a probe, whose end must be told by one of the methods below */
  letThrough(): boolean {
    if (this.current === 'closed') return false;
    this.current = 'half_open';
    return true;
  }

  /** The provider answered, be it with a refusal. @returns whether that closed it */
  succeeded(): boolean {
    const closed = this.current !== 'closed';
    this.current = 'closed';
    this.failures = 0;
    this.failedProbes = 0;
    return closed;
  }

  /**
   * The provider could not be reached or failed.
   *
   * @param random 0 inclusive to 1 exclusive
   * @returns whether that opened it, as the first of an outage
   */
  failed(isProbe: boolean, now: number, random: number): boolean {
    this.failures += 1;
    if (this.current === 'half_open' && isProbe) {
      this.failedProbes += 1;
      this.open(now, random);
      return false;
    }
    if (this.current !== 'closed' || this.failures < this.options.threshold) return false;
    this.open(now, random);
    return true;
  }

  /** A probe ended without any word on the provider: the next one may go at once. */
  abandoned(now: number): void {
    if (this.current !== 'half_open') return;
    this.current = 'open';
    this.probeAt = now;
  }

  private open(now: number, random: number): void {
    const { baseMs, maxMs } = this.options;
    this.current = 'open';
    // Half of it by chance, so that workers do not probe in step.
    this.probeAt = now + Math.min(maxMs, baseMs * 2 ** this.failedProbes) * (0.5 + random / 2);
  }
}
