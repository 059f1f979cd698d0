/** The part of the pace that remains after a refusal. */
const DECREASE = 0.6;
/** What each accepted call adds to the pace, as a part of the refused pace. */
const INCREASE = 0.0035;
/** Time in which the refused pace is added once more, however few calls there are. */
const RECOVERY_MS = 300_000;
/** Once the pace reaches this multiple of the refused pace without another refusal, the limit is dropped. */
const FORGET_AT = 2;
/** So many refusals among so many calls slow the pace. Fewer may have other reasons. */
const REFUSALS = { count: 2, amongCalls: 8 };
/** The same below the refused pace. A provider that refuses at any pace would otherwise slow everybody down for good. */
const REFUSALS_BELOW = { count: 3, amongCalls: 16 };
/** Number of calls over which the pace is measured. */
const MEASURED_CALLS = 32;
/** A longer gap between accepted calls means that there was nothing to send. It does not count for the pace. */
const IDLE_MS = 1_000;
/** The lowest measured pace, in calls per millisecond. Only refusals lower it further. */
const LEAST_MEASURED = 1 / 1_000;
/** The slowest pace: one call in so many milliseconds. */
const SLOWEST_MS = 30_000;

/**
 * Finds a limit that the provider does not report: additive increase and multiplicative decrease of the calls per time.
 * Before a refusal there is no limit. All refused calls that were in flight together count as one decrease. Single refusals
 * among many calls count as none. Times are monotonic milliseconds; constant time per call.
 *
 * @see https://en.wikipedia.org/wiki/Additive_increase/multiplicative_decrease
 */
export class AdaptivePace {
  /** Calls per millisecond; null while there is no limit. */
  private pace: number | null = null;
  private refusedPace = 0;
  private decreasedAt = Number.NEGATIVE_INFINITY;
  private increasedAt = 0;
  private nextAt = Number.NEGATIVE_INFINITY;
  /** When the last calls were accepted; a ring buffer. */
  private readonly accepted: number[] = [];
  private position = 0;
  /** Number of calls that were accepted or refused. */
  private calls = 0;
  /** The numbers of the last refused calls since the pace was lowered, newest first. It holds only as many as are counted. */
  private recentRefusals: number[] = [];

  waitMs(now: number): number {
    return this.pace === null ? 0 : Math.max(0, this.nextAt - now);
  }

  reserve(now: number): void {
    if (this.pace !== null) this.nextAt = Math.max(now, this.nextAt) + 1 / this.pace;
  }

  answered(now: number): void {
    this.calls += 1;
    this.accepted[this.position] = now;
    this.position = (this.position + 1) % MEASURED_CALLS;
    if (this.pace === null) return;
    this.pace += this.refusedPace * (INCREASE + (now - this.increasedAt) / RECOVERY_MS);
    this.increasedAt = now;
    if (this.pace > this.refusedPace * FORGET_AT) this.pace = null;
  }

  /** @param begunAt when the refused call was sent */
  refused(begunAt: number, now: number): void {
    this.calls += 1;
    // A refusal of a call at the old pace says nothing about the new one.
    if (begunAt <= this.decreasedAt) return;
    this.recentRefusals = [this.calls, ...this.recentRefusals].slice(0, REFUSALS_BELOW.count);
    const isBelow = this.pace !== null && this.pace < this.refusedPace;
    const { count, amongCalls } = isBelow ? REFUSALS_BELOW : REFUSALS;
    const first = this.recentRefusals[count - 1];
    if (first === undefined || this.calls - first >= amongCalls) return;
    this.recentRefusals = [];
    const measured = this.measure(now);
    this.refusedPace = Math.max(1 / SLOWEST_MS, Math.min(this.pace ?? Number.POSITIVE_INFINITY, measured));
    this.pace = this.refusedPace * DECREASE;
    this.decreasedAt = now;
    this.increasedAt = now;
    this.nextAt = now + 1 / this.pace;
  }

  /** The pace of the last accepted calls, without the gaps in which there was nothing to send. */
  private measure(now: number): number {
    let calls = 0;
    let busyMs = 0;
    let later = now;
    for (let back = 1; back <= this.accepted.length; back += 1) {
      const at = this.accepted[(this.position - back + MEASURED_CALLS) % MEASURED_CALLS] ?? later;
      if (later - at <= IDLE_MS) {
        calls += 1;
        busyMs += later - at;
      }
      later = at;
    }
    return Math.max(LEAST_MEASURED, calls / Math.max(1, busyMs));
  }
}
