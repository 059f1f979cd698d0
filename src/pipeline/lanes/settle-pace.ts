import { setTimeout as wait } from 'node:timers/promises';

/** A transaction with so many requests shows that more are about to finish. */
const BUSY_FROM = 4;
/** The second one waits at the writer, so that it starts when the first has ended and not when this thread learns of it. */
const MAX_IN_FLIGHT = 2;

/**
 * Decides when a lane's next transaction is handed over. A transaction costs the broker the same for one request as for a hundred.
 * A lone outcome becomes visible at once. A lane that has just settled several requests waits for more: a little latency under
 * load, for a fraction of the transactions.
 */
export class SettlePace {
  private readonly spacingMs: number;
  private readonly inFlight = new Set<Promise<void>>();
  private lastBegan = Number.NEGATIVE_INFINITY;
  /** Whether the last transaction was busy: then the next one waits even if none is in flight. */
  private isBusy = false;

  /** @param spacingMs the least time between the starts of two busy transactions */
  constructor(spacingMs: number) {
    this.spacingMs = spacingMs;
  }

  /**
   * A transaction was handed over.
   *
   * @param now by the monotonic clock, milliseconds
   * @param left finished requests that did not fit in: they wait no longer
   * @param ended never rejects
   */
  began(now: number, requests: number, left: number, ended: Promise<void>): void {
    this.lastBegan = left === 0 ? now : Number.NEGATIVE_INFINITY;
    this.isBusy = requests >= BUSY_FROM;
    const inFlight = ended.then(() => {
      this.inFlight.delete(inFlight);
    });
    this.inFlight.add(inFlight);
  }

  /**
   * Waits until the next transaction may be handed over, or the signal fires.
   *
   * @returns whether it waited, so that the lane's state may have changed
   */
  async gather(now: number, signal: AbortSignal): Promise<boolean> {
    const leftMs = this.lastBegan + this.spacingMs - now;
    const [oldest] = this.inFlight;
    if (oldest !== undefined && this.inFlight.size >= MAX_IN_FLIGHT) {
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
