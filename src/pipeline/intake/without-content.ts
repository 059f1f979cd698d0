import type { InboundRecord } from '../../ports/kafka.ts';

/** The position and key of a record, to keep for longer than its content. */
export function withoutContent(record: InboundRecord): InboundRecord {
  return { ...record, value: null, headers: {} };
}
