import type { OutboundRecord } from '../ports.ts';
import { recordBytes } from './record-bytes.ts';
import { type RequestEntry, withoutContent } from './request-entry.ts';

/** What a topic takes by default, less what surrounds a record in its batch. */
const RECORD_BYTES = 1_048_588 - 128;
/** `topics create` gives the dead-letter topic so much more: a letter is its original with some headers more. */
const DEAD_LETTER_HEADERS_BYTES = 65_536;

/** Where records go, and how large they are meant to be. */
export interface OutputSizes {
  readonly outputs: { readonly topics: { readonly dead: string } };
  readonly recordMaxBytes: number;
}

/** What a record may take, as far as the service's own settings tell: a refusal costs a transaction. */
function mostBytes({ topic }: OutboundRecord, { outputs, recordMaxBytes }: OutputSizes): number {
  const bytes = Math.max(RECORD_BYTES, recordMaxBytes + DEAD_LETTER_HEADERS_BYTES);
  return topic === outputs.topics.dead ? bytes + DEAD_LETTER_HEADERS_BYTES : bytes;
}

/** An outcome's records, then smaller ones in case a broker refuses those. */
export type OutcomeForms = readonly [readonly OutboundRecord[], ...(() => OutboundRecord[])[]];

/**
 * Makes the first form of an outcome that can be written what its lane settles; each refusal of the broker offers the next
 * one. After the last one nothing is offered until the caller does it.
 *
 * @param finishedAt by the monotonic clock
 */
export function offerOutcome(
  entry: RequestEntry,
  [records, ...smaller]: OutcomeForms,
  sizes: OutputSizes,
  finishedAt: number,
  onExhausted: () => void,
): void {
  const refused = () => {
    const [next, ...rest] = smaller;
    if (next === undefined) {
      entry.finished = null;
      onExhausted();
    } else offerOutcome(entry, [next(), ...rest], sizes, finishedAt, onExhausted);
  };
  const bytes = records.map(recordBytes);
  if (smaller.length > 0 && records.some((record, index) => (bytes[index] ?? 0) > mostBytes(record, sizes))) {
    refused();
    return;
  }
  entry.finished = { offset: entry.record.offset, records, recordBytes: bytes, finishedAt, refused };
  // From here on only the outcome's records are held.
  entry.record = withoutContent(entry.record);
  entry.accepted = null;
  entry.memory.finish(bytes.reduce((sum, one) => sum + one, 0));
}
