import type { InboundRecord } from '../../ports/kafka.ts';

/** A record's place and key, for what is kept longer than its content. */
export function withoutContent(record: InboundRecord): InboundRecord {
  return { ...record, value: null, headers: {} };
}
