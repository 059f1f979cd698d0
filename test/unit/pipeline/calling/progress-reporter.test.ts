import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ProgressReporter, type RunningCall } from '../../../../src/pipeline/calling/progress-reporter.ts';
import type { AttemptProgress } from '../../../../src/ports/ledger.ts';
import { FakeLedger } from '../../../support/fakes/fake-ledger.ts';

const BEAT_MS = 1_000;

/** A ledger that records reports, and accepts them as the test says. */
class ReportedTo extends FakeLedger {
  readonly reports: AttemptProgress[][] = [];
  take: () => Promise<void> = async () => undefined;

  override async reportProgress(running: readonly AttemptProgress[]): Promise<void> {
    this.reports.push([...running]);
    await this.take();
  }

  /** The bytes of each report’s calls. */
  get bytes(): number[][] {
    return this.reports.map((report) => report.map(({ outputBytes }) => outputBytes));
  }
}

function call(requestId: string, outputBytes = 0): RunningCall {
  return {
    identity: { tenantId: 'default', requestId },
    token: `token of ${requestId}`,
    attempt: 1,
    outputBytes,
  };
}

let ledger: ReportedTo;
let reporter: ProgressReporter;
const beat = () => vi.advanceTimersByTimeAsync(BEAT_MS);

beforeEach(() => {
  vi.useFakeTimers();
  ledger = new ReportedTo();
  reporter = new ProgressReporter(ledger, BEAT_MS);
});
afterEach(() => {
  reporter.stop();
  vi.useRealTimers();
});

describe('ProgressReporter', () => {
  it('reports at each heartbeat all calls that progressed, in their current state', async () => {
    const [one, other, idle] = [call('one'), call('other'), call('idle')];
    for (const each of [one, other, idle]) reporter.begin(each);
    one.outputBytes = 10;
    other.outputBytes = 20;
    await beat();
    one.outputBytes = 15;
    await beat();
    expect(ledger.bytes).toEqual([[10, 20], [15]]);
    expect(ledger.reports[0]?.[0]).toEqual({ ...one, outputBytes: 10 });
  });

  it('reports nothing twice, and nothing while no call runs', async () => {
    await beat();
    const running = call('one');
    reporter.begin(running);
    running.outputBytes = 10;
    await beat();
    await beat();
    expect(ledger.bytes).toEqual([[10]]);
  });

  it('reports no call that has ended', async () => {
    const running = call('one');
    reporter.begin(running);
    running.outputBytes = 10;
    reporter.end(running);
    await beat();
    expect(ledger.reports).toEqual([]);
  });

  it('waits for a slow ledger, and then reports only the latest state', async () => {
    const slow = Promise.withResolvers<void>();
    ledger.take = () => slow.promise;
    const running = call('one');
    reporter.begin(running);
    for (const bytes of [10, 20, 30]) {
      running.outputBytes = bytes;
      await beat();
    }
    expect(ledger.bytes).toEqual([[10]]);
    slow.resolve();
    await beat();
    expect(ledger.bytes).toEqual([[10], [30]]);
  });

  it('does not report a call again that ended during the report', async () => {
    const slow = Promise.withResolvers<void>();
    ledger.take = () => slow.promise;
    const running = call('one');
    reporter.begin(running);
    running.outputBytes = 10;
    await beat();
    reporter.end(running);
    slow.resolve();
    await beat();
    running.outputBytes = 20;
    await beat();
    expect(ledger.bytes).toEqual([[10]]);
  });

  it('survives an unavailable ledger, and repeats the report until it succeeds', async () => {
    let tries = 0;
    ledger.take = async () => {
      tries += 1;
      if (tries < 3) throw new Error('the database is unavailable');
    };
    const running = call('one');
    reporter.begin(running);
    running.outputBytes = 10;
    for (let beats = 0; beats < 4; beats += 1) await beat();
    expect(ledger.bytes).toEqual([[10], [10], [10]]);
  });

  it('reports nothing once it was stopped', async () => {
    const running = call('one');
    reporter.begin(running);
    running.outputBytes = 10;
    reporter.stop();
    await beat();
    expect(ledger.reports).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
  });
});
