import type { OutboundRecord, RecordBatch } from '../../ports/kafka.ts';

/** The most that a record takes besides its key, value and headers. */
const RECORD_BYTES = 40;
/** The most that a header takes besides its name and value. */
const HEADER_BYTES = 10;
/** What a batch takes besides its records (message format 2), with a small margin. */
const BATCH_BYTES = 64;

/** The part of a batch that came from one source. */
export interface BatchPart {
  readonly source: BatchSource;
  /** Place of its first record in the batch. */
  readonly first: number;
  readonly count: number;
  /** The bytes of the buffer that it frees. */
  readonly bufferedBytes: number;
  /** Nothing more of the source follows. */
  readonly isLast: boolean;
}

/** A source of records for one partition: the chunks of an attempt, or an announcement. */
export interface BatchSource {
  /** A lower bound of what its next record takes; 0 if it has none. */
  readonly nextBytes: number;
  /** Puts records into the batch while there is room, and at least one into an empty batch. Never throws. */
  seal(batch: SealedBatch): void;
  /** The broker has the whole part. */
  acknowledged(part: BatchPart): void;
  /** The broker refused a record of the part permanently. */
  refused(errorType: string): void;
}

/** Records of one partition for one send. Once sealed, they never change. */
export class SealedBatch implements RecordBatch {
  readonly topic: string;
  readonly partition: number;
  readonly records: OutboundRecord[] = [];
  readonly parts: BatchPart[] = [];
  /** Number of the send it goes with. */
  readonly round: number;
  /** The topic's limit: a larger record can never be written. */
  readonly maxRecordBytes: number;
  private readonly budgetBytes: number;
  private used = 0;

  /**
   * @param maxBatchBytes the topic's `max.message.bytes`
   * @param budgetBytes the bytes planned for it; a first record may take more
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

/** A lower bound of what a record takes in a batch. */
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
