import type { OutboundRecord } from '../ports/kafka.ts';
import type { HandlerOptions } from './handling/handler-options.ts';
import type { OutcomeForms } from './outcome/outcome-forms.ts';
import { entryId, type RequestEntry } from './request-entry.ts';

/**
 * Prefers a request without an answer to a stalled partition. If the ledger has the outcome, it is marked as unpublished and only
 * its bill is settled. A request without a ledger row is settled without any record.
 *
 * @returns what to settle instead. If the bill is refused as well, it stays in the ledger with its outcome.
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
    'the broker refuses this outcome in every form; fix its topics, then run: completion-bus outcomes publish',
  );
  if (entry.inLedger === null) return [[]];
  try {
    await claims.ledger.markUnpublished(entry.inLedger);
  } catch (error) {
    outcomes.logger.error({ err: error, place }, 'the outcome could not be marked as unpublished');
  }
  return bill === null ? [[]] : [[bill], () => []];
}
