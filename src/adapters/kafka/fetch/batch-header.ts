/** Bytes before a batch's records. */
export const BATCH_HEADER_BYTES = 61;
/** Offset and length, which every format begins with. */
export const PREFIX_BYTES = 12;
export const MAGIC_AT = 16;
export const MAGIC = 2;

const CRC_AT = 17;
/** What the CRC is of begins here. */
export const CHECKED_FROM = 21;
const CODEC_MASK = 0x07;
const LOG_APPEND_TIME = 0x08;
const TRANSACTIONAL = 0x10;
const CONTROL = 0x20;

/** A record batch of message format 2, without its records. */
export interface BatchHeader {
  readonly baseOffset: number;
  readonly crc: number;
  readonly codec: number;
  readonly isTransactional: boolean;
  readonly isControl: boolean;
  readonly lastOffsetDelta: number;
  readonly firstTimestamp: number;
  /** Every record's time where the broker sets it; else null. */
  readonly appendTime: number | null;
  readonly producerId: bigint;
  readonly recordCount: number;
}

/**
 * @param batch at least `BATCH_HEADER_BYTES`
 *
 * Source: https://kafka.apache.org/documentation/#recordbatch
 */
export function readBatchHeader(batch: Buffer): BatchHeader {
  const attributes = batch.readInt16BE(21);
  return {
    baseOffset: readOffset(batch, 0),
    crc: batch.readUInt32BE(CRC_AT),
    codec: attributes & CODEC_MASK,
    isTransactional: (attributes & TRANSACTIONAL) !== 0,
    isControl: (attributes & CONTROL) !== 0,
    lastOffsetDelta: batch.readInt32BE(23),
    firstTimestamp: readOffset(batch, 27),
    appendTime: attributes & LOG_APPEND_TIME ? readOffset(batch, 35) : null,
    producerId: batch.readBigInt64BE(43),
    recordCount: batch.readInt32BE(57),
  };
}

/** A 64-bit number; beyond 2^53, where no offset and no time can be, it is near enough. */
export function readOffset(bytes: Buffer, at: number): number {
  return bytes.readInt32BE(at) * 2 ** 32 + bytes.readUInt32BE(at + 4);
}
