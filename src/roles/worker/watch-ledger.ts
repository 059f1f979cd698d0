import { RepeatLimiter } from '../../domain/limits/repeat-limiter.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Claim, ClaimRequest, RequestLedger } from '../../ports/ledger.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { Metrics } from '../../telemetry/metrics.ts';

/** How long further lines of a kind are only counted after one was logged. */
const QUIET_MS = 10_000;

/** A ledger that measures its operations and logs takeovers from dead workers. */
export function watchLedger(
  ledger: RequestLedger,
  metrics: Pick<Metrics, 'ledgerOperation' | 'claimTakenOver' | 'quarantined'>,
  clock: Pick<Clock, 'monotonic'>,
  logger: Logger,
): RequestLedger {
  const limiter = new RepeatLimiter(QUIET_MS);

  const claimed = ({ identity, takeFrom }: ClaimRequest, claim: Claim) => {
    if (claim.kind === 'claimed' && claim.quarantined) metrics.quarantined();
    if (takeFrom?.crashed !== true || claim.kind === 'held' || claim.kind === 'done') return;
    metrics.claimTakenOver();
    const suppressed = limiter.take('taken over', clock.monotonic());
    if (suppressed === null) return;
    logger.warn({ ...identity, suppressed }, 'the claim of a dead worker was taken over');
  };

  const measured = (name: string, operation: (...given: unknown[]) => Promise<unknown>) => {
    return async (...given: unknown[]): Promise<unknown> => {
      const began = clock.monotonic();
      try {
        const result = await operation.apply(ledger, given);
        metrics.ledgerOperation(name, clock.monotonic() - began);
        if (name === 'claim') claimed(given[0] as ClaimRequest, result as Claim);
        return result;
      } catch (error) {
        const errorName = error instanceof Error ? error.name : 'unknown';
        metrics.ledgerOperation(name, clock.monotonic() - began, errorName);
        throw error;
      }
    };
  };

  const operations = new Map<PropertyKey, unknown>();
  return new Proxy(ledger, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name);
      if (typeof value !== 'function') return value;
      const known = operations.get(name) ?? measured(String(name), value as () => Promise<unknown>);
      operations.set(name, known);
      return known;
    },
  });
}
