import type { OutboundRecord } from '../../ports/kafka.ts';
import { type BatchPart, type BatchSource, bytesOfRecord, type SealedBatch } from './sealed-batch.ts';

/** A record outside of any attempt's sequence. Best effort: only its own request depends on it. */
export class Announcement implements BatchSource {
  readonly bytes: number;
  private readonly record: OutboundRecord;
  private readonly onFailed: (reason: string) => void;
  private isSealed = false;

  /** @param onFailed called once if it cannot be published */
  constructor(record: OutboundRecord, onFailed: (reason: string) => void) {
    this.record = record;
    this.bytes = bytesOfRecord(record);
    this.onFailed = onFailed;
  }

  get nextBytes(): number {
    return this.isSealed ? 0 : this.bytes;
  }

  seal(batch: SealedBatch): void {
    this.isSealed = true;
    const first = batch.records.length;
    const isTooLarge = this.bytes > batch.maxRecordBytes;
    if (isTooLarge) this.onFailed('too_large');
    else batch.add(this.record, this.bytes);
    const count = isTooLarge ? 0 : 1;
    batch.parts.push({ source: this, first, count, bufferedBytes: this.bytes, isLast: true });
  }

  acknowledged(_part: BatchPart): void {
    // Nobody waits for it.
  }

  refused(errorType: string): void {
    this.onFailed(errorType);
  }
}
