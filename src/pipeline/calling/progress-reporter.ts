import type { AttemptProgress, RequestLedger } from '../../ports/ledger.ts';

/** How far a running call has come; whoever reads its answer keeps `outputBytes` up to date. */
export interface RunningCall extends Omit<AttemptProgress, 'outputBytes'> {
  outputBytes: number;
}

/**
 * Writes to the ledger, all in one go at each beat of the lease, how much of each running call's answer has arrived: when
 * its worker dies, that is what is known of what it used. A call that ends between two beats is never written.
 */
export class ProgressReporter {
  private readonly ledger: RequestLedger;
  /** Running calls, with what was written of each. */
  private readonly calls = new Map<RunningCall, number>();
  private readonly timer: NodeJS.Timeout;
  private reporting = false;

  constructor(ledger: RequestLedger, intervalMs: number) {
    this.ledger = ledger;
    this.timer = setInterval(() => void this.report(), intervalMs);
    this.timer.unref();
  }

  begin(call: RunningCall): void {
    this.calls.set(call, 0);
  }

  end(call: RunningCall): void {
    this.calls.delete(call);
  }

  /** Writes what has changed since it was last written. What could not be written is said again by the next beat. */
  async report(): Promise<void> {
    if (this.reporting) return;
    const changed = [...this.calls].flatMap(([call, written]) =>
      call.outputBytes === written ? [] : [{ call, progress: { ...call } }],
    );
    if (changed.length === 0) return;
    this.reporting = true;
    try {
      await this.ledger.reportProgress(changed.map(({ progress }) => progress));
      for (const { call, progress } of changed) {
        if (this.calls.has(call)) this.calls.set(call, progress.outputBytes);
      }
    } catch {
      // The ledger has told whoever watches it.
    } finally {
      this.reporting = false;
    }
  }

  stop(): void {
    clearInterval(this.timer);
  }
}
