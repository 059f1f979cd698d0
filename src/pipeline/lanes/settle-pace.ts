import { setTimeout as wait } from 'node:timers/promises';

/** So many requests in one transaction tell that more are about to be finished. */
const BUSY_FROM = 4;
/** The second waits where it will be written, so that it begins when the first has ended, not when this was told of that. */
const MOST_UNDER_WAY = 2;

/**
 * When a lane's next transaction is handed over. It costs the broker the same for one request as for a hundred, so a lone
 * outcome becomes visible at once, while a lane that has just settled several waits for more to come along: a little
 * latency where there is much to do, for a fraction of the transactions.
 */
export class SettlePace {
  private readonly spacingMs: number;
  private readonly underWay = new Set<Promise<void>>();
  private lastBegan = Number.NEGATIVE_INFINITY;
  /** Whether the last one was: then the next one waits although none is under way. */
  private isBusy = false;

  /** @param spacingMs from one busy transaction's beginning to the next one's, at least */
  constructor(spacingMs: number) {
    this.spacingMs = spacingMs;
  }

  /**
   * A transaction was handed over.
   *
   * @param now by the monotonic clock, milliseconds
   * @param left finished requests that did not fit in: for these nothing is waited for
   * @param ended never rejects
   */
  began(now: number, requests: number, left: number, ended: Promise<void>): void {
    this.lastBegan = left === 0 ? now : Number.NEGATIVE_INFINITY;
    this.isBusy = requests >= BUSY_FROM;
    const underWay = ended.then(() => {
      this.underWay.delete(underWay);
    });
    this.underWay.add(underWay);
  }

  /**
   * Waits until the next transaction may be handed over, or the signal fires.
   *
   * @returns whether it waited, so that the world may be another one now
   */
  async gather(now: number, signal: AbortSignal): Promise<boolean> {
    const leftMs = this.lastBegan + this.spacingMs - now;
    const [oldest] = this.underWay;
    if (oldest !== undefined && this.underWay.size >= MOST_UNDER_WAY) {
      await oldest;
      return true;
    }
    if (leftMs <= 0 || (oldest === undefined && !this.isBusy)) return false;
    const enough = new AbortController();
    const timer = wait(leftMs, undefined, { signal: AbortSignal.any([signal, enough.signal]) });
    await Promise.race([timer, oldest ?? timer]).catch(() => undefined);
    enough.abort();
    return true;
  }
}
