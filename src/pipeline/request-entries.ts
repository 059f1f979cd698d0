import type { InboundRecord, TopicPartition } from '../ports.ts';
import { entryId, laneKey, type RequestEntry } from './request-entry.ts';

type Place = TopicPartition & { readonly offset: number };

/** Everything accepted and not settled, by place: a record that comes again finds its work here. */
export class RequestEntries {
  private readonly entries = new Map<string, RequestEntry>();
  private empty: PromiseWithResolvers<void> | null = null;

  get size(): number {
    return this.entries.size;
  }

  get all(): RequestEntry[] {
    return [...this.entries.values()];
  }

  at(place: Place): RequestEntry | undefined {
    return this.entries.get(entryId(place));
  }

  /** Whether it is still the one at its place. */
  has(entry: RequestEntry): boolean {
    return this.entries.get(entry.id) === entry;
  }

  /** In the order of their acceptance. */
  of(partition: TopicPartition): RequestEntry[] {
    const key = laneKey(partition);
    return this.all.filter(({ record }) => laneKey(record) === key);
  }

  /** The records of an offset range, in order. */
  recordsOf(partition: TopicPartition, from: number, to: number): InboundRecord[] {
    return this.of(partition)
      .map(({ record }) => record)
      .filter(({ offset }) => offset >= from && offset <= to)
      .sort((one, other) => one.offset - other.offset);
  }

  /** When the outcome that waits longest was finished, by the monotonic clock, among those of certain partitions; null when none waits. */
  oldestFinishedAt(isCounted: (partition: TopicPartition) => boolean): number | null {
    let oldest: number | null = null;
    for (const { finished, record } of this.entries.values()) {
      if (finished === null || (oldest !== null && finished.finishedAt >= oldest)) continue;
      if (isCounted(record)) oldest = finished.finishedAt;
    }
    return oldest;
  }

  add(entry: RequestEntry): void {
    this.entries.set(entry.id, entry);
  }

  remove(entry: RequestEntry): void {
    this.entries.delete(entry.id);
    if (this.entries.size === 0) this.empty?.resolve();
  }

  /** Resolves when nothing is left, at the latest after `timeoutMs`. */
  async untilEmpty(timeoutMs: number): Promise<void> {
    if (this.entries.size === 0) return;
    this.empty = Promise.withResolvers<void>();
    const timer = setTimeout(this.empty.resolve, timeoutMs);
    await this.empty.promise;
    clearTimeout(timer);
  }
}
