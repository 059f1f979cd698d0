import type { OutboundRecord } from '../ports/kafka.ts';
import type { HandlerOptions } from './handling/handler-options.ts';
import type { OutcomeForms } from './outcome/outcome-forms.ts';
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
  { claims, outcomes }: HandlerOptions,
): Promise<OutcomeForms> {
  const place = entryId(entry.record);
  outcomes.metrics.outcomeUnpublished();
  outcomes.logger.error(
    { place, ...entry.inLedger },
    'the broker refuses this outcome in every form; mend its topics, then run: completion-bus outcomes publish',
  );
  if (entry.inLedger === null) return [[]];
  try {
    await claims.ledger.markUnpublished(entry.inLedger);
  } catch (error) {
    outcomes.logger.error({ err: error, place }, 'the outcome could not be marked as unpublished');
  }
  return bill === null ? [[]] : [[bill], () => []];
}
