import type { WorkerLease } from '../../../src/ports/ledger.ts';

interface Watch {
  readonly owner: string;
  readonly signal: AbortSignal;
  readonly verdict: PromiseWithResolvers<boolean>;
}

/** A lease that is held at once, and watches of other workers that end when the test says so. */
export class FakeLease implements WorkerLease {
  workerId = 'worker-1';
  /** Active watches, oldest first. */
  readonly watches: Watch[] = [];
  /** Dead workers that stopped on purpose. */
  readonly ended = new Set<string>();
  /** Called when a watch begins. */
  onWatch: (watch: Watch) => void = () => undefined;
  /** Called before the lease is given; may wait. */
  beforeHeld: (signal: AbortSignal) => Promise<void> | void = () => undefined;

  async held(signal: AbortSignal): Promise<string> {
    await this.beforeHeld(signal);
    signal.throwIfAborted();
    return this.workerId;
  }

  isDead(owner: string, signal: AbortSignal): Promise<boolean> {
    const watch = { owner, signal, verdict: Promise.withResolvers<boolean>() };
    this.watches.push(watch);
    signal.addEventListener('abort', () => watch.verdict.reject(signal.reason), { once: true });
    this.onWatch(watch);
    return watch.verdict.promise;
  }

  async hasEnded(owner: string): Promise<boolean> {
    return this.ended.has(owner);
  }
}
