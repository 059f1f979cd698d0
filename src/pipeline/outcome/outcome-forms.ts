import type { OutboundRecord } from '../../ports/kafka.ts';

/** A topic's default record limit, less what surrounds a record in its batch. */
const RECORD_BYTES = 1_048_588 - 128;
/** `topics create` gives the dead-letter topic so much more: a dead letter is the original plus some headers. */
const DEAD_LETTER_HEADERS_BYTES = 65_536;

/** Where records go, and how large they may be. */
export interface OutputSizes {
  readonly outputs: { readonly topics: { readonly dead: string } };
  readonly recordMaxBytes: number;
}

/** An outcome's records, then smaller ones in case a broker refuses those. */
export type OutcomeForms = readonly [readonly OutboundRecord[], ...(() => OutboundRecord[])[]];

/** Whether a topic would refuse one of them, by the service's own settings. A refusal costs a transaction. */
export function isTooLarge(
  records: readonly OutboundRecord[],
  bytes: readonly number[],
  { outputs, recordMaxBytes }: OutputSizes,
): boolean {
  const most = Math.max(RECORD_BYTES, recordMaxBytes + DEAD_LETTER_HEADERS_BYTES);
  return records.some(({ topic }, index) => {
    const extra = topic === outputs.topics.dead ? DEAD_LETTER_HEADERS_BYTES : 0;
    return (bytes[index] ?? 0) > most + extra;
  });
}
