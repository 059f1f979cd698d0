/** One limit as a provider reports it with an answer. It covers everybody who shares the limit. */
export interface RateLimit {
  /** The size of the full bucket, at least 1. */
  readonly limit: number;
  /** What is left of it after the answered call. */
  readonly remaining: number;
  /** Milliseconds until it is full again, if nobody calls; null if not reported. */
  readonly resetMs: number | null;
}

export interface RateLimits {
  /** Null if not reported. */
  readonly requests: RateLimit | null;
  /** Null if not reported. */
  readonly tokens: RateLimit | null;
}
