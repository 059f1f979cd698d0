import { promisify } from 'node:util';
import { gzip, zstdCompress } from 'node:zlib';
import { compressFrame } from 'lz4-napi';
import { compress } from 'snappy';
import { crc32c } from '../../src/adapters/kafka/fetch/crc32c.ts';
import { encodeRecord, type RecordToEncode } from '../../src/adapters/kafka/kafkajs/record-encoding.ts';

export const codecs = { none: 0, gzip: 1, snappy: 2, lz4: 3, zstd: 4 } as const;
export type Codec = keyof typeof codecs;

const compressGzip = promisify(gzip);
const compressZstd = promisify(zstdCompress);

export interface BatchOptions {
  readonly baseOffset?: number;
  /** The records' bytes, compressed if the codec says so. */
  readonly payload: Buffer;
  readonly count: number;
  readonly codec?: number;
  readonly lastOffsetDelta?: number;
  readonly firstTimestamp?: number;
  readonly maxTimestamp?: number;
  /** Beside the codec's bits. */
  readonly attributes?: number;
  readonly producerId?: number;
  readonly magic?: number;
  /** Else the right one. */
  readonly crc?: number;
}

/** A record batch of message format 2, which may claim whatever a test wants. */
export function encodeBatch(options: BatchOptions): Buffer {
  const {
    payload,
    count,
    baseOffset = 0,
    codec = 0,
    attributes = 0,
    firstTimestamp = 1_767_322_800_000,
  } = options;
  const batch = Buffer.alloc(61 + payload.length);
  batch.writeBigInt64BE(BigInt(baseOffset), 0);
  batch.writeInt32BE(batch.length - 12, 8);
  batch.writeInt8(options.magic ?? 2, 16);
  batch.writeInt16BE(codec | attributes, 21);
  batch.writeInt32BE(options.lastOffsetDelta ?? count - 1, 23);
  batch.writeBigInt64BE(BigInt(firstTimestamp), 27);
  batch.writeBigInt64BE(BigInt(options.maxTimestamp ?? firstTimestamp), 35);
  batch.writeBigInt64BE(BigInt(options.producerId ?? -1), 43);
  batch.writeInt16BE(-1, 51);
  batch.writeInt32BE(-1, 53);
  batch.writeInt32BE(count, 57);
  payload.copy(batch, 61);
  batch.writeUInt32BE(options.crc ?? crc32c(batch.subarray(21)), 17);
  return batch;
}

/** An honest batch of these records. */
export async function batchOf(
  records: readonly RecordToEncode[],
  options: Partial<Omit<BatchOptions, 'codec'>> & { readonly codec?: Codec } = {},
): Promise<Buffer> {
  const { codec = 'none', ...rest } = options;
  const payload = await compressed(codec, recordsOf(records));
  return encodeBatch({ payload, count: records.length, ...rest, codec: codecs[codec] });
}

/** Records one after the other, with ascending offsets. */
export function recordsOf(records: readonly RecordToEncode[]): Buffer {
  return Buffer.concat(records.map((record, offsetDelta) => encodeRecord({ offsetDelta, ...record }).buffer));
}

export async function compressed(codec: Codec, bytes: Buffer): Promise<Buffer> {
  switch (codec) {
    case 'gzip':
      return compressGzip(bytes);
    case 'snappy':
      return compress(bytes);
    case 'lz4':
      return compressFrame(bytes);
    case 'zstd':
      return compressZstd(bytes);
    default:
      return bytes;
  }
}

export const MIB = 2 ** 20;

/** A zstd frame of these bytes, of blocks of 128 KiB that take four bytes each, and of one byte, all zero. */
export function zstdBomb(head: Buffer, blocks: number): Buffer {
  const header = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0, 7 << 3]);
  const block = (type: number, size: number, isLast: boolean) => {
    const bytes = Buffer.alloc(3);
    bytes.writeUIntLE((size << 3) | (type << 1) | (isLast ? 1 : 0), 0, 3);
    return bytes;
  };
  const repeated = Buffer.concat([block(1, 128 * 1024, false), Buffer.from([0])]);
  return Buffer.concat([
    header,
    block(0, head.length, false),
    head,
    ...Array.from({ length: blocks }, () => repeated),
    block(0, 1, true),
    Buffer.from([0]),
  ]);
}

/** The beginning of a record of so many bytes. */
export function recordHead(valueBytes: number): Buffer {
  const body = Buffer.concat([Buffer.from([0, 0, 0, 1]), varint(valueBytes)]);
  return Buffer.concat([varint(body.length + valueBytes + 1), body]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value * 2;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
  return Buffer.from([...bytes, rest]);
}

export interface PartitionAnswer {
  readonly topic?: string;
  readonly partition?: number;
  readonly highWatermark?: number;
  readonly aborted?: readonly { readonly producerId: number; readonly firstOffset: number }[];
  readonly log: Buffer;
}

/** A broker's answer to a fetch, version 11. */
export function fetchAnswer(partitions: readonly PartitionAnswer[]): Buffer {
  const parts = [int32(0), int16(0), int32(0), int32(partitions.length)];
  for (const {
    topic = 'chat.requests',
    partition = 0,
    highWatermark = 2 ** 50,
    aborted = [],
    log,
  } of partitions) {
    const name = Buffer.from(topic);
    parts.push(int16(name.length), name, int32(1), int32(partition), int16(0));
    parts.push(int64(highWatermark), int64(highWatermark), int64(0), int32(aborted.length));
    for (const { producerId, firstOffset } of aborted) parts.push(int64(producerId), int64(firstOffset));
    parts.push(int32(-1), int32(log.length), log);
  }
  return Buffer.concat(parts);
}

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(value);
  return bytes;
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

function int64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(BigInt(value));
  return bytes;
}
