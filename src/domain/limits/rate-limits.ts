/** What a provider tells of one of its limits with an answer: it speaks of everybody who shares the limit. */
export interface RateLimit {
  /** The size of the full bucket, at least 1. */
  readonly limit: number;
  /** What is left of it after the call that was answered. */
  readonly remaining: number;
  /** Milliseconds until it is full again, if nobody calls; null when that was not told. */
  readonly resetMs: number | null;
}

export interface RateLimits {
  /** Null when it was not told. */
  readonly requests: RateLimit | null;
  /** Null when it was not told. */
  readonly tokens: RateLimit | null;
}
