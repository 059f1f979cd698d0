import type { OutboundRecord, RecordBatch, RecordSink, RefusedRecord } from '../../../src/ports/kafka.ts';

type OnWritten = (batch: RecordBatch, refused: readonly RefusedRecord[]) => void;

interface Write {
  readonly batches: readonly RecordBatch[];
  readonly onWritten: OnWritten;
}

/** A sink that acknowledges when the test says so. */
export class FakeRecordSink implements RecordSink {
  readonly sends: (readonly OutboundRecord[])[] = [];
  /** Every topic's. */
  partitions = 1;
  maxBytes = 1_048_588;
  /** Acknowledge every send at once. */
  quick = false;
  /** Throw instead of taking the next write. */
  broken: Error | null = null;
  /** Error by which a record is refused, for records that are. */
  refuses: (record: OutboundRecord) => string | null = () => null;
  private unanswered: { batch: RecordBatch; onWritten: OnWritten }[] = [];

  get isBusy(): boolean {
    return this.unanswered.length > 0;
  }

  /** Partitions whose batches are not acknowledged. */
  get inFlight(): number[] {
    return this.unanswered.map(({ batch }) => batch.partition);
  }

  /** The number in the key, so that a test can choose. */
  partitionOf(_topic: string, key: Uint8Array | string): number {
    return Number(/\d+$/.exec(String(key))?.[0] ?? 0) % this.partitions;
  }

  partitionsOf(): number {
    return this.partitions;
  }

  maxBatchBytes(): number {
    return this.maxBytes;
  }

  write(batches: Write['batches'], onWritten: OnWritten): void {
    if (this.broken !== null) throw this.broken;
    for (const { topic, partition } of batches)
      if (this.unanswered.some(({ batch }) => batch.topic === topic && batch.partition === partition))
        throw new Error(`a batch of ${topic}/${partition} is in flight`);
    this.sends.push(batches.flatMap(({ records }) => records));
    this.unanswered.push(...batches.map((batch) => ({ batch, onWritten })));
    if (this.quick) queueMicrotask(() => this.acknowledge());
  }

  /** Answers what is in flight now, of one partition or of all. */
  acknowledge(partition?: number): void {
    const answered = this.unanswered.filter(
      ({ batch }) => partition === undefined || batch.partition === partition,
    );
    this.unanswered = this.unanswered.filter((one) => !answered.includes(one));
    for (const { batch, onWritten } of answered) {
      const refused = batch.records.flatMap((record, index) => {
        const errorType = this.refuses(record);
        return errorType === null ? [] : [{ index, errorType }];
      });
      onWritten(batch, refused);
    }
  }

  async close(): Promise<void> {
    this.unanswered = [];
  }
}
