import type { OutboundRecord } from '../ports.ts';
import { recordBytes } from './record-bytes.ts';
import type { RequestEntry } from './request-entry.ts';

/** An outcome's records, then smaller ones in case a broker refuses those. */
export type OutcomeForms = readonly [readonly OutboundRecord[], ...(() => OutboundRecord[])[]];

/**
 * Makes the first form of an outcome what its lane settles; each refusal of the broker offers the next one. After the last
 * one nothing is published, so that the partition goes on.
 *
 * @param finishedAt by the monotonic clock
 */
export function offerOutcome(
  entry: RequestEntry,
  [records, ...smaller]: OutcomeForms,
  finishedAt: number,
  onExhausted: () => void,
): void {
  const refused = () => {
    const [next, ...rest] = smaller;
    if (next === undefined) onExhausted();
    offerOutcome(entry, [next?.() ?? [], ...rest], finishedAt, onExhausted);
  };
  entry.finished = { offset: entry.record.offset, records, finishedAt, refused };
  entry.memory.finish(records.reduce((sum, record) => sum + recordBytes(record), 0));
}
