import type { UnreadableBatch } from '../inflation/unreadable-batch.ts';
import {
  MAX_BYTES_PER_FETCH,
  MAX_BYTES_PER_PARTITION,
  MAX_INFLATED_PER_FETCH,
  MAX_INFLATED_PER_PARTITION,
  MAX_RECORDS_PER_PARTITION,
  RECORD_OVERHEAD_BYTES,
} from './batch-limits.ts';
import { type FetchedMessage, noHeaders } from './record-reader.ts';

/** What one fetch has taken over and inflated, of all its partitions. */
export class FetchTotals {
  bytes = 0;
  inflated = 0;

  get isFull(): boolean {
    return this.bytes >= MAX_BYTES_PER_FETCH || this.inflated >= MAX_INFLATED_PER_FETCH;
  }
}

/**
 * What one fetch takes over of one partition, from the offset on that it asked for. It is full at a limit: kafkajs moves
 * its position behind the last of these, and the next fetch brings the rest. Each partition that is looked into makes some progress.
 */
export class TakenRecords {
  readonly messages: FetchedMessage[] = [];
  /** What lies before it was handed on earlier. */
  readonly from: number;
  private readonly totals: FetchTotals;
  private bytes = 0;
  private inflated = 0;

  constructor(from: number, totals: FetchTotals) {
    this.from = from;
    this.totals = totals;
  }

  get isFull(): boolean {
    return (
      this.messages.length > 0 &&
      (this.messages.length >= MAX_RECORDS_PER_PARTITION ||
        this.bytes >= MAX_BYTES_PER_PARTITION ||
        this.totals.bytes >= MAX_BYTES_PER_FETCH)
    );
  }

  /** Whether the next batch has to wait for the next fetch. */
  get isSpent(): boolean {
    return this.isFull || this.inflated >= MAX_INFLATED_PER_PARTITION || this.totals.isFull;
  }

  /** @param headerBytes what its headers take in memory */
  add(message: FetchedMessage, headerBytes = 0): void {
    const bytes =
      RECORD_OVERHEAD_BYTES + headerBytes + (message.key?.length ?? 0) + (message.value?.length ?? 0);
    this.messages.push(message);
    this.bytes += bytes;
    this.totals.bytes += bytes;
  }

  addInflated(bytes: number): void {
    this.inflated += bytes;
    this.totals.inflated += bytes;
  }

  /** Moves the position over offsets that hold no record for anybody: markers, aborted records, deleted ones. */
  passOver(lastOffset: number): void {
    this.messages.push({ ...withoutContent(lastOffset, 0), isControlRecord: true });
  }

  /** A record of which only the offset is known. */
  addUnreadable(
    offset: number,
    timestamp: number,
    { code, message }: Pick<UnreadableBatch, 'code' | 'message'>,
  ) {
    this.messages.push({ ...withoutContent(offset, timestamp), unreadable: { code, message } });
  }
}

function withoutContent(offset: number, timestamp: number): FetchedMessage {
  return {
    magicByte: 2,
    attributes: 0,
    timestamp: String(timestamp),
    offset: String(offset),
    key: null,
    value: null,
    headers: noHeaders(),
    isControlRecord: false,
  };
}
