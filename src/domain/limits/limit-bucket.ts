import type { RateLimit } from './rate-limits.ts';

/** Until a provider has reported how fast a limit refills: limits are per minute. */
const USUAL_WINDOW_MS = 60_000;
/** The part left for other clients and for what cannot be known yet. */
const RESERVED_PART = 0.08;
/** The part of a refill that is counted on, so that errors fall on the safe side. */
const COUNTED_PART = 0.95;
/** The part of what remains that one worker spends before the next answer. */
const BURST_PART = 0.1;
/** The share of the limit that a worker takes before it knows of others. */
const FIRST_SHARE = 0.25;
/** What a worker tries beyond its measured share. All workers yield in proportion to their share, so shares become equal. */
const SHARE_STEP = 0.02;
/** Uses older than this part of the window hardly count for the share. */
const MEMORY_PART = 0.25;

/** How much had been sent when a call was sent. The remaining limit that its answer reports refers to this moment. */
export interface BucketMark {
  readonly begun: number;
  readonly at: number;
}

/**
 * One worker's account of a limit that it shares with others. The workers do not talk to each other.
 *
 * - Every answer reports what remains for all of them. The worker deducts what it has sent since.
 * - Between two answers it counts only on its share of the refill. It measures its share: what disappears beyond its own
 *   use went to others.
 * - Until a limit is reported, everything passes.
 *
 * Times are monotonic milliseconds; constant time per call.
 */
export class LimitBucket {
  /** Null until a limit is reported. */
  private capacity: number | null = null;
  private ratePerMs = 0;
  /** What the provider's bucket is assumed to hold for this worker. */
  private stock = 0;
  /** What may be spent of the stock before the next answer; a debt if negative. */
  private allowance = 0;
  private refilledAt = 0;
  /** Everything that was ever sent, in the order of the calls. */
  private begun = 0;
  /** Reserved for calls that have not been sent. */
  private reserved = 0;
  private reported: (BucketMark & { readonly remaining: number }) | null = null;
  private ownUse = 0;
  private othersUse = 0;

  /** As last reported, for all clients together; null until then. */
  get remaining(): number | null {
    return this.reported?.remaining ?? null;
  }

  /** The part of the limit that this worker counts on, 0 to 1. */
  get share(): number {
    const use = this.ownUse + Math.max(0, this.othersUse);
    return use <= 0 ? FIRST_SHARE : Math.min(1, Math.max(0, this.ownUse) / use + SHARE_STEP);
  }

  private get ownRate(): number {
    return this.ratePerMs * COUNTED_PART * this.share;
  }

  /** Milliseconds until a call of this amount may be sent; 0 if it may be sent now. */
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

  /** A reserved call is not sent. */
  release(amount: number): void {
    this.reserved -= amount;
    this.stock += amount;
    this.allowance += amount;
  }

  /** A reserved call is sent now. @returns the mark that its answer is read with */
  begin(amount: number, now: number): BucketMark {
    this.reserved -= amount;
    this.begun += amount;
    return { begun: this.begun, at: now };
  }

  /**
   * Takes in the limit that an answer reported. Answers may overtake each other: the marks show which call was sent first, and
   * the report of an older call is dropped.
   *
   * @param taken whether the provider charged the call to the limit; it does not charge a refused call
   */
  learn(limit: RateLimit, mark: BucketMark, amount: number, taken: boolean, now: number): void {
    if (this.reported !== null && mark.begun <= this.reported.begun) return;
    if (!taken) this.begun -= amount;
    const begun = taken ? mark.begun : mark.begun - amount;
    this.learnRate(limit);
    this.learnShare(limit, { begun, at: mark.at });
    this.reported = { begun, at: mark.at, remaining: limit.remaining };
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

  /** The report has whole units: a nearly full bucket says little about its rate and counts little. */
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
    if (this.reported === null) return;
    const elapsedMs = Math.max(0, mark.at - this.reported.at);
    const own = mark.begun - this.reported.begun;
    const refilled = Math.min(elapsedMs * this.ratePerMs, Math.max(0, limit - this.reported.remaining));
    const others = this.reported.remaining + refilled - own - remaining;
    const kept = Math.exp((-elapsedMs * this.ratePerMs) / (limit * MEMORY_PART));
    this.ownUse = this.ownUse * kept + own;
    this.othersUse = this.othersUse * kept + others;
  }
}
