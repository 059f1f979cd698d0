import type { RequestSource, RequestSourceListener, TopicPartition } from '../../../src/ports/kafka.ts';
import type { FakeLog } from './fake-log.ts';

interface Listener {
  fetched: RequestSourceListener['fetched'];
}

/**
 * A group member whose fetches happen when the test says so. Positions and pauses are kept as a client keeps them: a
 * paused partition fetches nothing, a seek inside `fetched` wins, a position below the log's start moves up to it.
 */
export class FakeRequestSource implements RequestSource {
  listener: Listener | null = null;
  readonly seeks: number[] = [];
  stopped = false;
  advertisedDraining = false;
  private readonly pausedPartitions = new Set<string>();
  private readonly positions = new Map<string, number>();

  async start(listener: RequestSourceListener): Promise<void> {
    this.listener = listener;
  }

  pause(partition: TopicPartition): void {
    this.pausedPartitions.add(placeOf(partition));
  }

  resume(partition: TopicPartition): void {
    this.pausedPartitions.delete(placeOf(partition));
  }

  seek(partition: TopicPartition, offset: number): void {
    this.seeks.push(offset);
    this.positions.set(placeOf(partition), offset);
  }

  advertiseDraining(): void {
    this.advertisedDraining = true;
  }

  async stop(): Promise<void> {
    this.stopped = true;
  }

  lastFetchAgeMs(): number | null {
    return null;
  }

  isPaused(partition: TopicPartition): boolean {
    return this.pausedPartitions.has(placeOf(partition));
  }

  position(partition: TopicPartition): number {
    return this.positions.get(placeOf(partition)) ?? 0;
  }

  /** A rejoin: the client forgets positions and keeps pauses. */
  rejoin(partition: TopicPartition, committed: number): void {
    this.positions.set(placeOf(partition), committed);
  }

  /**
   * One fetch.
   *
   * @returns whether it brought anything
   */
  fetch(log: FakeLog, most = Number.POSITIVE_INFINITY): boolean {
    const place = placeOf(log);
    if (this.listener === null || this.pausedPartitions.has(place)) return false;
    const fetchedOffset = Math.max(this.position(log), log.start);
    const rest = log.records.filter((record) => record.offset >= fetchedOffset);
    const records = rest.slice(0, most);
    const isRest = records.length === rest.length;
    const nextOffset = isRest ? log.end : (records.at(-1)?.offset ?? 0) + 1;
    if (nextOffset <= fetchedOffset) return false;
    const seeksBefore = this.seeks.length;
    const moves = this.listener.fetched({
      topic: log.topic,
      partition: log.partition,
      fetchedOffset,
      highWatermark: log.end,
      logStart: log.start,
      records,
      nextOffset,
    });
    if (this.seeks.length === seeksBefore && moves) this.positions.set(place, nextOffset);
    return true;
  }

  /** Fetches for as long as that gets further. */
  fetchAll(log: FakeLog): void {
    for (;;) {
      const position = this.position(log);
      const seeks = this.seeks.length;
      if (!this.fetch(log)) return;
      if (this.position(log) === position && this.seeks.length === seeks) return;
    }
  }
}

function placeOf({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`;
}
