import { AdaptivePace } from './adaptive-pace.ts';
import { type BucketMark, LimitBucket } from './limit-bucket.ts';
import type { RateLimits } from './rate-limits.ts';

/** No wish of a provider keeps everybody waiting for longer. */
const LONGEST_PAUSE_MS = 60_000;

/** A call that has begun: what its answer is read with. */
export interface CallMark {
  readonly tokens: number;
  readonly at: number;
  readonly ofRequests: BucketMark;
  readonly ofTokens: BucketMark;
}

/**
 * Keeps the calls of one account and model within the provider's limits: by what is told of them (`LimitBucket`), else by what is
 * refused (`AdaptivePace`), and never before the time that the provider asked to wait. What nobody limits passes at once. Times
 * are monotonic milliseconds; constant time per call.
 *
 *   waitMs() = 0 ─► reserve() ─► begin() ─► answered() | refused()
 *                        └─────► release()
 */
export class RateLimiter {
  private readonly requests = new LimitBucket();
  private readonly tokens = new LimitBucket();
  private readonly pace = new AdaptivePace();
  private pausedUntil = Number.NEGATIVE_INFINITY;

  /** As told last, for everybody who shares the limits; null where nothing was told. */
  get remaining(): { readonly requests: number | null; readonly tokens: number | null } {
    return { requests: this.requests.remaining, tokens: this.tokens.remaining };
  }

  /** @param tokens what the call may be charged with */
  waitMs(tokens: number, now: number): number {
    return Math.max(
      0,
      this.pausedUntil - now,
      this.requests.waitMs(1, now),
      this.tokens.waitMs(tokens, now),
      this.pace.waitMs(now),
    );
  }

  reserve(tokens: number, now: number): void {
    this.requests.reserve(1);
    this.tokens.reserve(tokens);
    this.pace.reserve(now);
  }

  release(tokens: number): void {
    this.requests.release(1);
    this.tokens.release(tokens);
  }

  begin(tokens: number, now: number): CallMark {
    return {
      tokens,
      at: now,
      ofRequests: this.requests.begin(1, now),
      ofTokens: this.tokens.begin(tokens, now),
    };
  }

  /** The call was let in. */
  answered(call: CallMark, limits: RateLimits | null, now: number): void {
    this.pace.answered(now);
    this.learn(call, limits, true, now);
  }

  /** The call was refused for a limit. */
  refused(call: CallMark, limits: RateLimits | null, retryAfterMs: number | null, now: number): void {
    const pauseMs = Math.min(LONGEST_PAUSE_MS, retryAfterMs ?? 0);
    this.pausedUntil = Math.max(this.pausedUntil, now + pauseMs);
    this.learn(call, limits, false, now);
    // A refusal that the told limits explain is dealt with by knowing them.
    const isExplained =
      (limits?.requests != null && limits.requests.remaining < 1) ||
      (limits?.tokens != null && limits.tokens.remaining < call.tokens);
    if (!isExplained) this.pace.refused(call.at, now);
  }

  private learn(call: CallMark, limits: RateLimits | null, taken: boolean, now: number): void {
    if (limits?.requests) this.requests.learn(limits.requests, call.ofRequests, 1, taken, now);
    if (limits?.tokens) this.tokens.learn(limits.tokens, call.ofTokens, call.tokens, taken, now);
  }
}
