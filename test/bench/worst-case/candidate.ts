import type { InboundRecord, RecordHeaders } from '../../../src/ports/kafka.ts';

/** One hostile input, made when it is measured, since all of them together would fill the memory. */
export interface Candidate {
  /** The place that it attacks: a field, a header, a member of a JSON body. */
  readonly field: string;
  readonly input: string;
  readonly record: () => InboundRecord | null;
}

/** A record of the shared request topic. */
export function inbound(
  value: Uint8Array | null,
  headers: RecordHeaders = {},
  key: Uint8Array | null = null,
): InboundRecord {
  return { topic: 'chat.requests', partition: 0, offset: 7, timestamp: 1, key, value, headers };
}

/** What a record has besides its largest value: never above the limit with it. */
export const ROOM_BYTES = 6_000;
