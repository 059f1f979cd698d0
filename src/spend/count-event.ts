import type { RecordCodec } from '../contract/codec.ts';
import type { CostCalculated } from '../contract/record-types.ts';
import { UndecodableRecord } from '../contract/undecodable-record.ts';
import { budgetHolds, spendOf } from '../domain/cost/spend.ts';
import type { InboundRecord } from '../ports/kafka.ts';
import type { CountedEvent } from './spend-store.ts';

export interface CountingOptions {
  readonly codec: RecordCodec;
  /**
   * How long the id of a charge is remembered, in milliseconds: as long as the ledger remembers its request. A later charge
   * with the same id is another bill.
   */
  readonly chargeIdTtlMs: number;
}

/**
 * Converts a record of the cost topic into what is counted.
 *
 * @returns the reason if it cannot be counted: it is not a cost event, or the event is inconsistent
 */
export function countEvent(
  { value, headers }: InboundRecord,
  options: CountingOptions,
): CountedEvent | string {
  try {
    const event = options.codec.decode('CostCalculated', value, headers).record;
    return {
      ...identityOf(event, options.chargeIdTtlMs),
      request: { tenantId: event.tenantId, requestId: event.requestId },
      entries: spendOf(event),
      holds: budgetHolds(event),
    };
  } catch (error) {
    if (error instanceof UndecodableRecord || error instanceof RangeError) return error.message;
    throw error;
  }
}

/**
 * The time is part of a charge's identity: a request id that is reused after the ledger has expired it is billed again, under
 * the same event id. An adjustment is identified by its event id alone, whenever it is calculated.
 */
function identityOf({ kind, eventId, occurredAt }: CostCalculated, chargeIdTtlMs: number) {
  return kind === 'CHARGE'
    ? { id: `${eventId}@${occurredAt}`, keepUntil: occurredAt + chargeIdTtlMs }
    : { id: eventId, keepUntil: null };
}
