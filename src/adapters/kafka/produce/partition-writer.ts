import type { Message } from 'kafkajs';
import { Deque } from '../../../domain/queues/deque.ts';
import type { RecordBatch, RefusedRecord, TopicPartition } from '../../../ports/kafka.ts';
import { doubledMs } from '../../../runtime/retry.ts';
import { mapMessage } from '../kafkajs/map-record.ts';
import type { ConnectionLane } from './broker-connections.ts';

const FIRST_RETRY_MS = 50;
const LONGEST_RETRY_MS = 2_000;

export type OnWritten = (batch: RecordBatch, refused: readonly RefusedRecord[]) => void;

interface Delivery {
  readonly batch: RecordBatch;
  readonly onWritten: OnWritten;
}

/** Records of the batch from one place up to another. */
interface Range {
  readonly from: number;
  readonly to: number;
}

/**
 * Batches of one partition, one after the other. A batch is sent as a whole; where a broker refuses it because of a record, its
 * halves are sent one after the other until that record is alone.
 *
 *   idle ──push──► waiting ──taken by its leader's requests──► in flight ──written──► next range or batch, or idle
 *                     ▲                                            │ an error that passes
 *                     └──────────────── backoff ◄──────────────────┘
 */
export class PartitionWriter implements TopicPartition {
  readonly topic: string;
  readonly partition: number;
  /** Tries in vain of what is sent now. */
  tries = 0;
  /** Which connection it is sent over. */
  lane: ConnectionLane = 'main';
  private readonly deliveries = new Deque<Delivery>();
  private ranges: Range[] = [];
  private refused: RefusedRecord[] = [];

  constructor(topic: string, partition: number) {
    this.topic = topic;
    this.partition = partition;
  }

  /** @returns whether it was idle, so that it must be sent */
  push(batch: RecordBatch, onWritten: OnWritten): boolean {
    this.deliveries.push({ batch, onWritten });
    if (this.deliveries.length > 1) return false;
    this.begin();
    return true;
  }

  /** What is to be sent next: the same again until it is settled. @throws what cannot be a message */
  current(): readonly Message[] {
    const records = this.deliveries.peek()?.batch.records ?? [];
    const [range] = this.ranges;
    return range === undefined ? [] : records.slice(range.from, range.to).map(mapMessage);
  }

  /** What was sent is written. @returns whether there is more to send */
  written(): boolean {
    this.tries = 0;
    this.lane = 'main';
    this.ranges.shift();
    return this.next();
  }

  /** What was sent is refused because of a record in it. @returns whether there is more to send */
  refuse(errorType: string): boolean {
    this.tries = 0;
    const range = this.ranges.shift();
    if (range === undefined) return this.next();
    const { from, to } = range;
    if (to - from === 1) this.refused.push({ index: from, errorType });
    else {
      const middle = Math.floor((from + to) / 2);
      this.ranges.unshift({ from, to: middle }, { from: middle, to });
    }
    return this.next();
  }

  /** Nothing of the batch can be written any more. @returns whether there is more to send */
  refuseAll(errorType: string): boolean {
    this.tries = 0;
    for (const { from, to } of this.ranges)
      for (let index = from; index < to; index += 1) this.refused.push({ index, errorType });
    this.ranges = [];
    return this.next();
  }

  /** @returns milliseconds after which the same is to be sent again */
  failed(): number {
    this.tries += 1;
    return doubledMs(this.tries, FIRST_RETRY_MS, LONGEST_RETRY_MS);
  }

  private begin(): void {
    const count = this.deliveries.peek()?.batch.records.length ?? 0;
    this.ranges = count === 0 ? [] : [{ from: 0, to: count }];
    this.refused = [];
  }

  private next(): boolean {
    while (this.ranges.length === 0) {
      const delivery = this.deliveries.peek();
      if (delivery === undefined) return false;
      // It leaves the queue only then, so that a batch pushed meanwhile waits its turn.
      delivery.onWritten(delivery.batch, this.refused);
      this.deliveries.shift();
      this.begin();
    }
    return true;
  }
}
