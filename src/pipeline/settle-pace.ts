import { setTimeout as wait } from 'node:timers/promises';

/** So many requests in one transaction tell that more are about to be finished. */
const BUSY_FROM = 4;

/**
 * When a lane's next transaction begins. It costs the broker the same for one request as for a hundred, so a lone outcome
 * becomes visible at once, while a lane that has just settled several waits for more to come along: a little
 * latency where there is much to do, for a fraction of the transactions.
 */
export class SettlePace {
  private readonly spacingMs: number;
  /** When the last transaction began, if it was a busy one. */
  private busySince = Number.NEGATIVE_INFINITY;

  /** @param spacingMs from one busy transaction's beginning to the next one's, at least */
  constructor(spacingMs: number) {
    this.spacingMs = spacingMs;
  }

  /**
   * A transaction begins.
   *
   * @param now by the monotonic clock, milliseconds
   * @param left finished requests that did not fit in: for these nothing is waited for
   */
  began(now: number, requests: number, left: number): void {
    this.busySince = requests >= BUSY_FROM && left === 0 ? now : Number.NEGATIVE_INFINITY;
  }

  /**
   * Waits until the next transaction may begin, or the signal fires.
   *
   * @returns whether it waited, so that the world may be another one now
   */
  async gather(now: number, signal: AbortSignal): Promise<boolean> {
    const leftMs = this.busySince + this.spacingMs - now;
    if (leftMs <= 0) return false;
    this.busySince = Number.NEGATIVE_INFINITY;
    await wait(leftMs, undefined, { signal }).catch(() => undefined);
    return true;
  }
}
