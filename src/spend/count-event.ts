import type { RecordCodec } from '../contract/codec.ts';
import type { CostCalculated } from '../contract/record-types.ts';
import { UndecodableRecord } from '../contract/undecodable-record.ts';
import { budgetHolds, spendOf } from '../domain/cost/spend.ts';
import type { InboundRecord } from '../ports/kafka.ts';
import type { CountedEvent } from './spend-store.ts';

export interface CountingOptions {
  readonly codec: RecordCodec;
  /**
   * How long the id of a charge is remembered, in milliseconds: as long as the ledger remembers its request, so that
   * what has the same id later is another bill.
   */
  readonly chargeIdTtlMs: number;
}

/**
 * A record of the cost topic as it is counted.
 *
 * @returns why it cannot be counted, for a record that is no cost event or whose event does not add up
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
 * A charge is the same one when it was made at the same time: a request id that is used again after the ledger has
 * forgotten it is billed again, under the same event id. An adjustment that is calculated again is the same one whenever.
 */
function identityOf({ kind, eventId, occurredAt }: CostCalculated, chargeIdTtlMs: number) {
  return kind === 'CHARGE'
    ? { id: `${eventId}@${occurredAt}`, keepUntil: occurredAt + chargeIdTtlMs }
    : { id: eventId, keepUntil: null };
}
