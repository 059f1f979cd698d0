import type { RateLimit } from './rate-limits.ts';

/** Until a provider has told how fast a limit refills: limits are per minute. */
const USUAL_WINDOW_MS = 60_000;
/** What is left to others and to what cannot be known yet. */
const RESERVED_PART = 0.08;
/** What is counted on of a refill, so that errors add up to the safe side. */
const COUNTED_PART = 0.95;
/** How much of what is left one worker spends before it hears of it again. */
const BURST_PART = 0.1;
/** The share of the limit that a worker takes before it knows of others. */
const FIRST_SHARE = 0.25;
/** What a worker tries beyond its measured share: all give way in proportion to their share, so shares become equal. */
const SHARE_STEP = 0.02;
/** Uses older than this part of the window hardly count for the share. */
const MEMORY_PART = 0.25;

/** How much had been called for by the time a call was made: what its answer's word on the limit can know of. */
export interface BucketMark {
  readonly begun: number;
  readonly at: number;
}

/**
 * A worker's own account of a limit that it shares with others who do not talk to it. What remains is told with every
 * answer, for all of them together; what the worker has called for since is taken off, and between two answers it counts on its
 * share of the refill only, which it measures: what disappears beyond its own use went to others. Lets everything through until
 * a limit was told. Times are monotonic milliseconds; constant time per call.
 */
export class LimitBucket {
  /** Null until it was told. */
  private capacity: number | null = null;
  private ratePerMs = 0;
  /** What the provider's bucket is believed to hold for us. */
  private stock = 0;
  /** What may be spent of it before the next answer; a debt when negative. */
  private allowance = 0;
  private refilledAt = 0;
  /** All that was ever called for, in the order of the calls. */
  private begun = 0;
  /** Reserved for calls that have not begun. */
  private reserved = 0;
  private told: (BucketMark & { readonly remaining: number }) | null = null;
  private ownUse = 0;
  private othersUse = 0;

  /** As it was told last, for everybody; null until then. */
  get remaining(): number | null {
    return this.told?.remaining ?? null;
  }

  /** The part of the limit that this worker counts on, 0 to 1. */
  get share(): number {
    const use = this.ownUse + Math.max(0, this.othersUse);
    return use <= 0 ? FIRST_SHARE : Math.min(1, Math.max(0, this.ownUse) / use + SHARE_STEP);
  }

  private get ownRate(): number {
    return this.ratePerMs * COUNTED_PART * this.share;
  }

  /** Milliseconds until `amount` may be called for; 0 when it may be now. */
  waitMs(amount: number, now: number): number {
    if (this.capacity === null) return 0;
    this.refill(now);
    const wanted = Math.min(amount, this.capacity * (1 - RESERVED_PART));
    const missing = Math.max(wanted - this.stock, -this.allowance);
    return missing <= 1e-9 ? 0 : missing / this.ownRate;
  }

  reserve(amount: number): void {
    this.reserved += amount;
    this.stock -= amount;
    this.allowance -= amount;
  }

  /** A reserved call is not made. */
  release(amount: number): void {
    this.reserved -= amount;
    this.stock += amount;
    this.allowance += amount;
  }

  /** A reserved call is made now. @returns what its answer has to be read with */
  begin(amount: number, now: number): BucketMark {
    this.reserved -= amount;
    this.begun += amount;
    return { begun: this.begun, at: now };
  }

  /**
   * Takes in what was told with the answer to a call. Answers that overtook each other are told by the marks: the news of an
   * older call is no news.
   *
   * @param taken whether the call itself was taken from the limit, which a refused one was not
   */
  learn(limit: RateLimit, mark: BucketMark, amount: number, taken: boolean, now: number): void {
    if (this.told !== null && mark.begun <= this.told.begun) return;
    if (!taken) this.begun -= amount;
    const begun = taken ? mark.begun : mark.begun - amount;
    this.learnRate(limit);
    this.learnShare(limit, { begun, at: mark.at });
    this.told = { begun, at: mark.at, remaining: limit.remaining };
    const unknown = this.begun - begun + this.reserved;
    const refilled = Math.max(0, now - mark.at) * this.ownRate;
    const free = limit.remaining - limit.limit * RESERVED_PART;
    this.stock = free - unknown + refilled;
    this.allowance = free * this.share * (free > 0 ? BURST_PART : 1) - unknown + refilled;
    this.refilledAt = now;
  }

  private refill(now: number): void {
    if (this.capacity === null) return;
    const refilled = Math.max(0, now - this.refilledAt) * this.ownRate;
    const full = this.capacity * (1 - RESERVED_PART);
    this.stock = Math.min(full, this.stock + refilled);
    this.allowance = Math.min(full * BURST_PART, this.allowance + refilled);
    this.refilledAt = now;
  }

  /** What remains is told in whole units, so a nearly full bucket tells little about its rate and counts little. */
  private learnRate({ limit, remaining, resetMs }: RateLimit): void {
    if (this.capacity === null) this.ratePerMs = limit / USUAL_WINDOW_MS;
    else this.ratePerMs *= limit / this.capacity;
    const isFirst = this.capacity === null;
    this.capacity = limit;
    const used = limit - remaining;
    if (resetMs === null || resetMs <= 0 || used < 1) return;
    const measured = (used - 0.5) / resetMs;
    this.ratePerMs += (isFirst ? 1 : Math.min(1, used / limit)) * (measured - this.ratePerMs);
  }

  private learnShare({ limit, remaining }: RateLimit, mark: BucketMark): void {
    if (this.told === null) return;
    const elapsedMs = Math.max(0, mark.at - this.told.at);
    const own = mark.begun - this.told.begun;
    const refilled = Math.min(elapsedMs * this.ratePerMs, Math.max(0, limit - this.told.remaining));
    const others = this.told.remaining + refilled - own - remaining;
    const kept = Math.exp((-elapsedMs * this.ratePerMs) / (limit * MEMORY_PART));
    this.ownUse = this.ownUse * kept + own;
    this.othersUse = this.othersUse * kept + others;
  }
}
