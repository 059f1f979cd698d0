import type { ModelChanged } from '../../contract/record-types.ts';
import type { Logger } from '../../runtime/logger.ts';

/** More at once, as after a first import, would hide everything else in the log. */
const TOLD_ONE_BY_ONE = 20;

/** Logs changes that were announced: each one, or how many of which kind where there are many; then each at `debug`. */
export function logChanges(changes: readonly ModelChanged[], logger: Pick<Logger, 'info' | 'debug'>): void {
  const isFew = changes.length <= TOLD_ONE_BY_ONE;
  for (const { provider, model, change, details } of changes)
    logger[isFew ? 'info' : 'debug']({ provider, model, change, details }, 'the catalog has changed');
  if (isFew) return;
  const kinds = Map.groupBy(changes, ({ change }) => change);
  const counts = Object.fromEntries([...kinds].map(([kind, ofKind]) => [kind, ofKind.length]));
  logger.info({ changes: counts }, 'the catalog has changed in many places; LOG_LEVEL=debug tells each');
}
