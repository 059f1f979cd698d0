import { AdaptivePace } from './adaptive-pace.ts';
import { type BucketMark, LimitBucket } from './limit-bucket.ts';
import type { RateLimits } from './rate-limits.ts';

/** The longest pause, even if the provider asks for more. */
const LONGEST_PAUSE_MS = 60_000;

/** A call that was sent: the mark that its answer is read with. */
export interface CallMark {
  readonly tokens: number;
  readonly at: number;
  readonly ofRequests: BucketMark;
  readonly ofTokens: BucketMark;
}

/**
 * Keeps the calls of one account and model within the provider's limits. It uses reported limits (`LimitBucket`), else it
 * learns from refusals (`AdaptivePace`). It never calls before the time that the provider asked to wait for. Without any
 * limit calls pass at once. Times are monotonic milliseconds; constant time per call.
 *
 *   waitMs() = 0 ─► reserve() ─► begin() ─► answered() | refused()
 *                        └─────► release()
 */
export class RateLimiter {
  private readonly requests = new LimitBucket();
  private readonly tokens = new LimitBucket();
  private readonly pace = new AdaptivePace();
  private pausedUntil = Number.NEGATIVE_INFINITY;

  /** As last reported, for everybody who shares the limits; null if nothing was reported. */
  get remaining(): { readonly requests: number | null; readonly tokens: number | null } {
    return { requests: this.requests.remaining, tokens: this.tokens.remaining };
  }

  /** @param tokens that the call may be charged with */
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

  /** The provider accepted the call. */
  answered(call: CallMark, limits: RateLimits | null, now: number): void {
    this.pace.answered(now);
    this.learn(call, limits, true, now);
  }

  /** The provider refused the call because of a limit. */
  refused(call: CallMark, limits: RateLimits | null, retryAfterMs: number | null, now: number): void {
    const pauseMs = Math.min(LONGEST_PAUSE_MS, retryAfterMs ?? 0);
    this.pausedUntil = Math.max(this.pausedUntil, now + pauseMs);
    this.learn(call, limits, false, now);
    // If the reported limits explain a refusal, knowing them is enough.
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
