import type { ByteBudget } from '../inflation/byte-budget.ts';
import { inflate } from '../inflation/inflate.ts';
import { asUnreadable, damaged, UnreadableBatch } from '../inflation/unreadable-batch.ts';
import { BATCH_HEADER_BYTES, type BatchHeader, CHECKED_FROM } from './batch-header.ts';
import {
  type BatchLimits,
  HEADER_OVERHEAD_BYTES,
  inflatedLimit,
  MAX_RECORDS_PER_BATCH,
} from './batch-limits.ts';
import { crc32c } from './crc32c.ts';
import type { Pacer } from './pacer.ts';
import { RecordCutter } from './record-cutter.ts';
import { RecordReader } from './record-reader.ts';
import type { TakenRecords } from './taken-records.ts';

export interface BatchReading {
  readonly limits: BatchLimits;
  /** What all decoders of this process may inflate at once. */
  readonly budget: ByteBudget;
  readonly pacer: Pacer;
}

interface Batch {
  readonly bytes: Buffer;
  readonly header: BatchHeader;
  /** As the header says, but never beyond the next batch or the log. */
  readonly lastOffset: number;
}

const NOT_COMPRESSED = 0;
const CRC_STEP_BYTES = 256 * 1024;

/**
 * Takes a batch's records over, in steps, until the batch or the room for records ends. Never throws for what a publisher
 * wrote: each offset that cannot be read becomes a record that says so. Where those are more than a batch can have, one record
 * at the last offset stands for all of them, so that a header alone cannot order billions of records.
 */
export async function readBatch(batch: Batch, taken: TakenRecords, reading: BatchReading): Promise<void> {
  const progress = { nextOffset: batch.header.baseOffset };
  try {
    await checkBatch(batch, reading.pacer);
    const isComplete = await readRecords(batch, taken, reading, progress);
    if (isComplete && progress.nextOffset <= batch.lastOffset) taken.passOver(batch.lastOffset);
  } catch (error) {
    await addUnreadable(progress.nextOffset, batch, taken, asUnreadable(error), reading.pacer);
  }
}

async function checkBatch({ bytes, header }: Batch, pacer: Pacer): Promise<void> {
  const { recordCount, lastOffsetDelta, crc } = header;
  let found = 0;
  for (let at = CHECKED_FROM; at < bytes.length; at += CRC_STEP_BYTES) {
    found = crc32c(bytes.subarray(at, at + CRC_STEP_BYTES), found);
    if (pacer.isDue) await pacer.pause();
  }
  if (found !== crc) throw damaged('its checksum is wrong');
  if (recordCount < 0 || recordCount > lastOffsetDelta + 1)
    throw damaged(`it claims ${recordCount} records in ${lastOffsetDelta + 1} offsets`);
  if (recordCount > MAX_RECORDS_PER_BATCH)
    throw new UnreadableBatch(
      'too_large',
      `The record's batch has ${recordCount} records; at most ${MAX_RECORDS_PER_BATCH} are read. Publish smaller batches`,
    );
}

/** @returns whether the batch ended before the room for its records */
function readRecords(
  { bytes, header, lastOffset }: Batch,
  taken: TakenRecords,
  { limits, budget, pacer }: BatchReading,
  progress: { nextOffset: number },
): Promise<boolean> {
  const { recordCount, codec } = header;
  const payload = bytes.subarray(BATCH_HEADER_BYTES);
  const limitBytes =
    codec === NOT_COMPRESSED ? Number.POSITIVE_INFINITY : inflatedLimit(payload.length, limits);
  const cutter = new RecordCutter(limits.recordBytes, limitBytes);
  const reader = new RecordReader(header);
  let left = recordCount;

  const takeFrom = async (piece: Buffer): Promise<void> => {
    cutter.push(piece);
    while (left > 0 && !taken.isFull && cutter.next()) {
      left -= 1;
      reader.begin(cutter.buffer, cutter.start, cutter.end);
      const { offset } = reader;
      if (offset < progress.nextOffset || offset > lastOffset)
        throw damaged('its records are not in the order of their offsets');
      if (offset >= taken.from) takeOne(reader, taken, cutter.isCut ? limits.recordBytes : null);
      progress.nextOffset = offset + 1;
      if (pacer.isDue) await pacer.pause();
    }
  };
  const isComplete = (): boolean => {
    if (taken.isFull && left > 0) return false;
    if (left > 0) throw damaged('it ends before its last record');
    return true;
  };

  if (codec === NOT_COMPRESSED) return takeFrom(payload).then(isComplete);
  return budget.with(limitBytes, async () => {
    if (left === 0) return true;
    for await (const piece of inflate(codec, payload, limitBytes)) {
      taken.addInflated(piece.length);
      await takeFrom(piece);
      if (left === 0 || taken.isFull) break;
      if (pacer.isDue) await pacer.pause();
    }
    return isComplete();
  });
}

/** A record whose place is known fails alone. */
function takeOne(reader: RecordReader, taken: TakenRecords, cutAbove: number | null): void {
  try {
    const message = cutAbove === null ? reader.finish() : reader.finishCut(cutAbove);
    taken.add(message, reader.headerCount * HEADER_OVERHEAD_BYTES);
  } catch (error) {
    const { code, message } = asUnreadable(error);
    taken.add(reader.unreadable({ code, message }));
  }
}

async function addUnreadable(
  first: number,
  { header, lastOffset }: Batch,
  taken: TakenRecords,
  reason: UnreadableBatch,
  pacer: Pacer,
): Promise<void> {
  const timestamp = header.appendTime ?? header.firstTimestamp;
  const count = lastOffset - first + 1;
  if (count > MAX_RECORDS_PER_BATCH) {
    const message = `${reason.message} (for all ${count} records from offset ${first} to ${lastOffset})`;
    taken.addUnreadable(lastOffset, timestamp, { code: reason.code, message });
    return;
  }
  for (let offset = Math.max(first, taken.from); offset <= lastOffset && !taken.isFull; offset += 1)
    taken.addUnreadable(offset, timestamp, reason);
  if (pacer.isDue) await pacer.pause();
}
