import type { Deque } from '../../domain/queues/deque.ts';
import type { FinishedRequest } from './lane-listener.ts';

/** Limits of one settle transaction. */
export interface BatchLimits {
  readonly maxRequests: number;
  /** Bytes per output topic: one send makes one record batch per partition. */
  readonly maxBytes: number;
}

/** Takes as many requests from the queue as fit into one transaction, at least one. */
export function takeBatch<T extends Pick<FinishedRequest, 'records' | 'recordBytes'>>(
  queue: Deque<T>,
  { maxRequests, maxBytes }: BatchLimits,
): T[] {
  const batch: T[] = [];
  const bytesByTopic = new Map<string, number>();
  for (let head = queue.peek(); head !== undefined && batch.length < maxRequests; head = queue.peek()) {
    let fits = true;
    for (const [index, { topic }] of head.records.entries()) {
      const bytes = (bytesByTopic.get(topic) ?? 0) + (head.recordBytes[index] ?? 0);
      bytesByTopic.set(topic, bytes);
      fits &&= bytes <= maxBytes;
    }
    if (!fits && batch.length > 0) break;
    batch.push(head);
    queue.shift();
  }
  return batch;
}
