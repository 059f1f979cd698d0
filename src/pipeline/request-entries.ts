import type { InboundRecord, TopicPartition } from '../ports/kafka.ts';
import { laneKey, type RequestEntry } from './request-entry.ts';

type Place = TopicPartition & { readonly offset: number };

/**
 * Everything accepted and not settled, by position: a redelivered record finds its work here. Operations on one partition read
 * only the entries of that partition.
 */
export class RequestEntries {
  /** By lane, then by offset in the order of acceptance. */
  private readonly lanes = new Map<string, Map<number, RequestEntry>>();
  private count = 0;
  private empty: PromiseWithResolvers<void> | null = null;

  get size(): number {
    return this.count;
  }

  get all(): RequestEntry[] {
    return [...this.lanes.values()].flatMap((entries) => [...entries.values()]);
  }

  at(place: Place): RequestEntry | undefined {
    return this.lanes.get(laneKey(place))?.get(place.offset);
  }

  /** Whether it is still the entry at its position. */
  has(entry: RequestEntry): boolean {
    return this.lanes.get(entry.lane)?.get(entry.record.offset) === entry;
  }

  /** In the order of their acceptance. */
  of(partition: TopicPartition): RequestEntry[] {
    return [...(this.lanes.get(laneKey(partition))?.values() ?? [])];
  }

  /** The records of an offset range, in order. */
  recordsOf(partition: TopicPartition, from: number, to: number): InboundRecord[] {
    return this.of(partition)
      .map(({ record }) => record)
      .filter(({ offset }) => offset >= from && offset <= to)
      .sort((one, other) => one.offset - other.offset);
  }

  /** When the longest waiting outcome of the counted lanes was finished, by the monotonic clock; null if none waits. */
  oldestFinishedAt(isCounted: (lane: string) => boolean): number | null {
    let oldest: number | null = null;
    for (const [lane, entries] of this.lanes) {
      if (!isCounted(lane)) continue;
      for (const { finished } of entries.values())
        if (finished !== null && (oldest === null || finished.finishedAt < oldest))
          oldest = finished.finishedAt;
    }
    return oldest;
  }

  add(entry: RequestEntry): void {
    const entries = this.lanes.get(entry.lane);
    if (entries === undefined) this.lanes.set(entry.lane, new Map([[entry.record.offset, entry]]));
    else entries.set(entry.record.offset, entry);
    this.count += 1;
  }

  /** @returns whether it was the entry at its position */
  remove(entry: RequestEntry): boolean {
    const entries = this.lanes.get(entry.lane);
    if (entries?.get(entry.record.offset) !== entry) return false;
    entries.delete(entry.record.offset);
    if (entries.size === 0) this.lanes.delete(entry.lane);
    this.count -= 1;
    if (this.count === 0) this.empty?.resolve();
    return true;
  }

  /** Resolves when nothing is left, after `timeoutMs` at the latest. */
  async untilEmpty(timeoutMs: number): Promise<void> {
    if (this.count === 0) return;
    this.empty = Promise.withResolvers<void>();
    const timer = setTimeout(this.empty.resolve, timeoutMs);
    await this.empty.promise;
    clearTimeout(timer);
  }
}
