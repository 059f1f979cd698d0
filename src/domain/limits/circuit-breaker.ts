export type BreakerState = 'closed' | 'open' | 'half_open';

export interface BreakerOptions {
  /** Failures in a row that open the breaker. */
  readonly threshold: number;
  /** The upper bound of the first wait, in milliseconds. It doubles with each failed probe. */
  readonly baseMs: number;
  readonly maxMs: number;
}

/**
 * Stops calls to a provider that is unavailable. One call at a time, the probe, tests whether it is available again.
 *
 *              threshold failures in a row          the wait is over: one probe
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

  /** Milliseconds until a call may be sent; infinite while a probe is in flight. */
  waitMs(now: number): number {
    if (this.current === 'closed') return 0;
    return this.current === 'half_open' ? Number.POSITIVE_INFINITY : Math.max(0, this.probeAt - now);
  }

  /** Lets a call through. @returns whether it is a probe, whose end the caller must report with one of the methods below */
  letThrough(): boolean {
    if (this.current === 'closed') return false;
    this.current = 'half_open';
    return true;
  }

  /** The provider answered, even if with a refusal. @returns whether that closed the breaker */
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
   * @returns whether that opened the breaker, as the first failure of an outage
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

  /** A probe ended without any sign of the provider: the next one may start at once. */
  abandoned(now: number): void {
    if (this.current !== 'half_open') return;
    this.current = 'open';
    this.probeAt = now;
  }

  private open(now: number, random: number): void {
    const { baseMs, maxMs } = this.options;
    this.current = 'open';
    // Half of the wait is random, so that workers do not probe in step.
    this.probeAt = now + Math.min(maxMs, baseMs * 2 ** this.failedProbes) * (0.5 + random / 2);
  }
}
