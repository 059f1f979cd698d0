import { createRequire } from 'node:module';
import { damaged } from '../inflation/unreadable-batch.ts';
import {
  BATCH_HEADER_BYTES,
  type BatchHeader,
  MAGIC,
  MAGIC_AT,
  PREFIX_BYTES,
  readBatchHeader,
  readOffset,
} from './batch-header.ts';
import { type BatchReading, readBatch } from './read-batch.ts';
import type { FetchedMessage } from './record-reader.ts';
import type { TakenRecords } from './taken-records.ts';

/** What a broker answers of one partition. */
export interface PartitionLog {
  readonly bytes: Buffer;
  /** The offset after the last one of the partition: no record can have a higher one. */
  readonly highWatermark: number;
  /** Ascending; empty when uncommitted records are asked for too. */
  readonly aborted: readonly AbortedTransaction[];
}

export interface AbortedTransaction {
  readonly producerId: bigint;
  readonly firstOffset: number;
}

type MessageSetDecoder = (decoder: unknown, size: number) => Promise<FetchedMessage[]>;

/** The key of a control record: its version, and what it marks. */
const ABORT_MARK = 0;
const CONTROL_TYPE_AT = 2;

/**
 * Takes over what one partition's log has from the offset on that was asked for. Markers and what was aborted are passed over:
 * kafkajs would take any record whose key has the bytes of a mark for one.
 */
export async function readPartition(
  log: PartitionLog,
  taken: TakenRecords,
  reading: BatchReading,
): Promise<void> {
  await readBatches(log, taken, reading);
  // A log that has nothing at the offset or behind it: kafkajs would ask for the same offset for ever.
  const { bytes } = log;
  const isWhole = bytes.length > MAGIC_AT && PREFIX_BYTES + bytes.readInt32BE(8) <= bytes.length;
  if (isWhole && taken.messages.length === 0 && !taken.isSpent) taken.passOver(taken.from);
}

async function readBatches(
  { bytes, highWatermark, aborted }: PartitionLog,
  taken: TakenRecords,
  reading: BatchReading,
): Promise<void> {
  const transactions = new AbortedTransactions(aborted);
  let at = 0;
  while (bytes.length - at > MAGIC_AT && !taken.isSpent) {
    const end = at + PREFIX_BYTES + Math.max(0, bytes.readInt32BE(at + 8));
    // The last one may have been cut off by the broker.
    if (end > bytes.length) return;
    const magic = bytes.readInt8(at + MAGIC_AT);
    if (magic >= 0 && magic < MAGIC) return readMessageSet(bytes.subarray(at), taken);
    const batch = bytes.subarray(at, end);
    const baseOffset = readOffset(batch, 0);
    if (magic !== MAGIC || batch.length < BATCH_HEADER_BYTES) {
      if (baseOffset >= taken.from)
        taken.addUnreadable(baseOffset, 0, damaged(`it has the message format ${magic}, or no header`));
      if (end <= at + PREFIX_BYTES) return;
      at = end;
      continue;
    }
    at = end;
    const header = readBatchHeader(batch);
    const nextBase = bytes.length - at >= PREFIX_BYTES ? readOffset(bytes, at) : Number.POSITIVE_INFINITY;
    const lastOffset = lastOffsetOf(header, Math.min(nextBase, highWatermark));
    const isDropped = transactions.isDropped(header, lastOffset, batch);
    if (lastOffset < taken.from) continue;
    if (isDropped || header.isControl) taken.passOver(lastOffset);
    else await readBatch({ bytes: batch, header, lastOffset }, taken, reading);
    if (reading.pacer.isDue) await reading.pacer.pause();
  }
}

/** What a damaged header claims must not move the position over records of others. */
function lastOffsetOf({ baseOffset, lastOffsetDelta }: BatchHeader, before: number): number {
  return Math.max(baseOffset, Math.min(baseOffset + lastOffsetDelta, before - 1));
}

/** Follows transactions through the log, as the broker's list of aborted ones is meant to be read. */
class AbortedTransactions {
  private readonly coming: AbortedTransaction[];
  private readonly current = new Set<bigint>();
  private begun = 0;

  constructor(aborted: readonly AbortedTransaction[]) {
    this.coming = aborted.toSorted((one, other) => one.firstOffset - other.firstOffset);
  }

  /** Whether a batch belongs to a transaction that was aborted. */
  isDropped(
    { producerId, isControl, isTransactional }: BatchHeader,
    lastOffset: number,
    batch: Buffer,
  ): boolean {
    for (
      let next = this.coming[this.begun];
      next !== undefined && next.firstOffset <= lastOffset;
      next = this.coming[this.begun]
    ) {
      this.current.add(next.producerId);
      this.begun += 1;
    }
    if (isControl && controlType(batch) === ABORT_MARK) this.current.delete(producerId);
    return isTransactional && this.current.has(producerId);
  }
}

/** A control batch has one record, is never compressed, and all its numbers before the key take one byte. */
function controlType(batch: Buffer): number | null {
  const recordAt = BATCH_HEADER_BYTES;
  // Length, attributes, the deltas of time and offset, and the key's length.
  const keyAt = recordAt + 5;
  return batch.length >= keyAt + 4 ? batch.readInt16BE(keyAt + CONTROL_TYPE_AT) : null;
}

/** Message formats before 2, which brokers have not written since 0.11, are left to kafkajs. */
async function readMessageSet(bytes: Buffer, taken: TakenRecords): Promise<void> {
  const require = createRequire(import.meta.url);
  const Decoder: new (bytes: Buffer) => unknown = require('kafkajs/src/protocol/decoder.js');
  const decode: MessageSetDecoder = require('kafkajs/src/protocol/messageSet/decoder.js');
  for (const message of await decode(new Decoder(bytes), bytes.length)) {
    if (taken.isFull) return;
    if (Number(message.offset) >= taken.from) taken.add(message);
  }
}
