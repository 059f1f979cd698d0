import type { FetchedRecords, InboundRecord } from '../ports/kafka.ts';
import type { LogRange } from './log-range.ts';
import type { RecordMark, SpendPosition } from './spend-store.ts';

/** Records that wait to be folded before the partition is paused. */
const FULL = 5_000;

/** The state of one assigned partition of the cost topic, from its opening until its position is lost. */
export class CountedPartition {
  readonly number: number;
  state: 'opening' | 'open' | 'halted' = 'opening';
  isPaused = false;
  generation = 0;
  /** The stored position: the first offset that is not counted. */
  next: number | null = null;
  /** Where reading starts or restarts. */
  readFrom = 0;
  /** The newest counted record, until it was read again to check the log: a recreated topic has another record there, or none. */
  private expected: RecordMark | null = null;
  private waiting: InboundRecord[] = [];
  /** The first offset that was not taken. */
  private read = 0;
  /** Everything before it was handed over or is not a record. */
  private reached = 0;
  private highWatermark = 0;
  /** Records that were taken and are not counted yet. */
  private inHand = 0;

  constructor(number: number) {
    this.number = number;
  }

  /**
   * Begins at a position.
   *
   * @returns the offsets that were deleted before they were counted; null when none were. Halted when the position is
   *   beyond the log's end.
   */
  begin(
    { generation, next, newest }: SpendPosition,
    { low, high }: LogRange,
  ): { from: number; to: number } | null {
    this.generation = generation;
    this.next = next;
    this.read = Math.max(next ?? low, low);
    this.reached = this.read;
    this.highWatermark = high;
    if (next !== null && next > high) {
      this.state = 'halted';
      return null;
    }
    this.expected = newest !== null && newest.offset >= low ? newest : null;
    this.readFrom = this.expected?.offset ?? this.read;
    this.state = 'open';
    return next !== null && next < low ? { from: next, to: low - 1 } : null;
  }

  /**
   * Takes fetched records, in log order.
   *
   * @returns why not: reading is at another position than expected, or the log is a different one
   */
  accept({ records, fetchedOffset, highWatermark }: FetchedRecords): 'elsewhere' | 'other log' | null {
    if (this.next !== null && highWatermark < this.next) return 'other log';
    const { expected } = this;
    if (expected !== null) {
      if (fetchedOffset > expected.offset) return 'elsewhere';
      const found = records.find(({ offset }) => offset >= expected.offset);
      if (found?.offset !== expected.offset || found.timestamp !== expected.timestamp) return 'other log';
      this.expected = null;
    }
    for (const record of records) {
      if (record.offset < this.read) continue;
      this.waiting.push(record);
      this.read = record.offset + 1;
    }
    this.highWatermark = Math.max(this.highWatermark, highWatermark);
    return null;
  }

  progressed(nextOffset: number, highWatermark: number): void {
    if (this.state !== 'open') return;
    this.reached = Math.max(this.reached, nextOffset);
    this.highWatermark = Math.max(this.highWatermark, highWatermark);
  }

  take(limit: number): InboundRecord[] {
    const taken = this.waiting.slice(0, limit);
    this.waiting = this.waiting.slice(limit);
    this.inHand = taken.length;
    return taken;
  }

  release(records: readonly InboundRecord[]): void {
    this.inHand = 0;
    this.waiting = [...records, ...this.waiting];
  }

  moveTo(next: number): void {
    this.next = next;
    this.inHand = 0;
  }

  halt(): void {
    this.state = 'halted';
    this.waiting = [];
  }

  get hasWaiting(): boolean {
    return this.state === 'open' && this.waiting.length > 0;
  }

  get isFull(): boolean {
    return this.waiting.length >= FULL;
  }

  /** Whether the log has nothing after the taken records. */
  get isAtEnd(): boolean {
    return this.waiting.length === 0 && this.reached >= this.highWatermark;
  }

  get lag(): number {
    return this.waiting.length + this.inHand + Math.max(0, this.highWatermark - this.reached);
  }

  /** Whether everything before an offset is counted. */
  hasCounted(end: number): boolean {
    const isCounted = this.waiting.length + this.inHand === 0 && this.reached >= end;
    return this.state === 'open' && (isCounted || (this.next ?? 0) >= end);
  }
}
