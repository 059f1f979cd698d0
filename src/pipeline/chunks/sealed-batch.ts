import type { OutboundRecord, RecordBatch } from '../../ports/kafka.ts';

/** At most what a record takes besides its key, value and headers. */
const RECORD_BYTES = 40;
/** At most what a header takes besides its name and value. */
const HEADER_BYTES = 10;
/** What a batch takes besides its records (message format 2), and a little more. */
const BATCH_BYTES = 64;

/** What of a batch came from one source. */
export interface BatchPart {
  readonly source: BatchSource;
  /** Place of its first record in the batch. */
  readonly first: number;
  readonly count: number;
  /** What of the buffer it frees. */
  readonly bufferedBytes: number;
  /** Nothing of the source follows. */
  readonly isLast: boolean;
}

/** Something with records for one partition: the chunks of an attempt, or an announcement. */
export interface BatchSource {
  /** At least what its next record takes; 0 when it has none. */
  readonly nextBytes: number;
  /** Puts what it has into the batch, as far as there is room, but at least one record into an empty one. Never throws. */
  seal(batch: SealedBatch): void;
  /** The broker has all of the part. */
  acknowledged(part: BatchPart): void;
  /** A record of the part was refused for good. */
  refused(errorType: string): void;
}

/** Records of one partition on their way into one send; from then on they never change. */
export class SealedBatch implements RecordBatch {
  readonly topic: string;
  readonly partition: number;
  readonly records: OutboundRecord[] = [];
  readonly parts: BatchPart[] = [];
  /** Number of the send it goes with. */
  readonly round: number;
  /** What the topic takes: a larger record can never be written. */
  readonly maxRecordBytes: number;
  private readonly budgetBytes: number;
  private used = 0;

  /**
   * @param maxBatchBytes the topic's `max.message.bytes`
   * @param budgetBytes what is to go into it; a first record may take more
   */
  constructor(topic: string, partition: number, round: number, maxBatchBytes: number, budgetBytes: number) {
    this.topic = topic;
    this.partition = partition;
    this.round = round;
    this.maxRecordBytes = maxBatchBytes - BATCH_BYTES;
    this.budgetBytes = Math.min(budgetBytes, this.maxRecordBytes);
  }

  get bytes(): number {
    return this.used;
  }

  hasRoomFor(bytes: number): boolean {
    return this.records.length === 0 || this.used + bytes <= this.budgetBytes;
  }

  add(record: OutboundRecord, bytes: number): void {
    this.records.push(record);
    this.used += bytes;
  }
}

/** At least what a record takes in a batch. */
export function bytesOfRecord({ key, value, headers }: OutboundRecord): number {
  return RECORD_BYTES + bytesOf(key) + bytesOf(value) + bytesOfHeaders(headers);
}

export function bytesOfHeaders(headers: OutboundRecord['headers']): number {
  let bytes = 0;
  for (const name in headers) {
    const value = headers[name];
    if (value === undefined) continue;
    for (const one of Array.isArray(value) ? value : [value])
      bytes += HEADER_BYTES + Buffer.byteLength(name) + bytesOf(one);
  }
  return bytes;
}

function bytesOf(value: Uint8Array | string | null): number {
  if (value === null) return 0;
  return typeof value === 'string' ? Buffer.byteLength(value) : value.byteLength;
}
