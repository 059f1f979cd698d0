import type { Deque } from '../domain/deque.ts';
import type { OutboundRecord } from '../ports.ts';
import { recordBytes } from './record-bytes.ts';

/** Limits of one settle transaction. */
export interface BatchLimits {
  readonly maxRequests: number;
  /** Bytes for each output topic: one send makes one record batch per partition. */
  readonly maxBytes: number;
}

/** Takes from the queue what fits into one transaction, at least one. */
export function takeBatch<T extends { readonly records: readonly OutboundRecord[] }>(
  queue: Deque<T>,
  { maxRequests, maxBytes }: BatchLimits,
): T[] {
  const batch: T[] = [];
  const bytesByTopic = new Map<string, number>();
  for (let head = queue.peek(); head !== undefined && batch.length < maxRequests; head = queue.peek()) {
    let fits = true;
    for (const record of head.records) {
      const bytes = (bytesByTopic.get(record.topic) ?? 0) + recordBytes(record);
      bytesByTopic.set(record.topic, bytes);
      fits &&= bytes <= maxBytes;
    }
    if (!fits && batch.length > 0) break;
    batch.push(head);
    queue.shift();
  }
  return batch;
}
