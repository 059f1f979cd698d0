import { RepeatLimiter } from '../domain/limits/repeat-limiter.ts';
import type { Clock } from '../ports/clock.ts';
import type { Logger } from '../runtime/logger.ts';

/** How long the warning is only counted after it was logged. */
const QUIET_MS = 10_000;

/** A warning that hundreds of requests can cause at once: it is logged once per 10 s, with the number of suppressed ones. */
export function quietWarning(
  logger: Logger,
  clock: Pick<Clock, 'monotonic'>,
  message: string,
): (error: unknown) => void {
  const limiter = new RepeatLimiter(QUIET_MS);
  return (error) => {
    const suppressed = limiter.take('warning', clock.monotonic());
    if (suppressed !== null) logger.warn({ err: error, suppressed }, message);
  };
}
