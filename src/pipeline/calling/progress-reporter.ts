import type { AttemptProgress, RequestLedger } from '../../ports/ledger.ts';

/** How far a running call has come. The reader of its answer keeps `outputBytes` up to date. */
export interface RunningCall extends Omit<AttemptProgress, 'outputBytes'> {
  outputBytes: number;
}

/**
 * Writes to the ledger how much of each running call's answer has arrived, all calls in one write per lease beat. If the worker
 * dies, this is the only record of what the call used. A call that ends between two beats is never written.
 */
export class ProgressReporter {
  private readonly ledger: RequestLedger;
  /** Running calls, each with the bytes written last. */
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

  /** Writes what has changed since the last write. If a write fails, the next beat repeats it. */
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
      // The ledger has reported the failure to its observers.
    } finally {
      this.reporting = false;
    }
  }

  stop(): void {
    clearInterval(this.timer);
  }
}
