import type { OutboundRecord } from '../ports.ts';
import type { OutcomeForms } from './offer-outcome.ts';
import type { PipelineOptions } from './pipeline-options.ts';
import { entryId, type RequestEntry } from './request-entry.ts';

/**
 * Better a request without an answer than a partition that stands still. The ledger has the outcome and marks it before its bill
 * alone is settled; what has no ledger row is settled without anything.
 *
 * @returns what is settled instead; a bill that is refused as well waits with the rest of its outcome
 */
export async function giveUpPublishing(
  entry: RequestEntry,
  bill: OutboundRecord | null,
  { metrics, logger, handler }: Pick<PipelineOptions, 'metrics' | 'logger' | 'handler'>,
): Promise<OutcomeForms> {
  const place = entryId(entry.record);
  metrics.outcomeUnpublished();
  logger.error(
    { place, ...entry.inLedger },
    'the broker refuses this outcome in every form; mend its topics, then run: completion-bus outcomes publish',
  );
  if (entry.inLedger === null) return [[]];
  try {
    await handler.ledger.markUnpublished(entry.inLedger);
  } catch (error) {
    logger.error({ err: error, place }, 'the outcome could not be marked as unpublished');
  }
  return bill === null ? [[]] : [[bill], () => []];
}
