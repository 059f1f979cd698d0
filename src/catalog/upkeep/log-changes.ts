import type { ModelChanged } from '../../contract/record-types.ts';
import type { Logger } from '../../runtime/logger.ts';

/** More changes at once, as after a first import, would hide everything else in the log. */
const LOGGED_ONE_BY_ONE = 20;

/** Logs announced changes: each one, or if there are many, their number by kind. Then each one is logged at `debug`. */
export function logChanges(changes: readonly ModelChanged[], logger: Pick<Logger, 'info' | 'debug'>): void {
  const isFew = changes.length <= LOGGED_ONE_BY_ONE;
  for (const { provider, model, change, details } of changes)
    logger[isFew ? 'info' : 'debug']({ provider, model, change, details }, 'the catalog has changed');
  if (isFew) return;
  const kinds = Map.groupBy(changes, ({ change }) => change);
  const counts = Object.fromEntries([...kinds].map(([kind, ofKind]) => [kind, ofKind.length]));
  logger.info({ changes: counts }, 'many catalog changes; set LOG_LEVEL=debug to log each one');
}
