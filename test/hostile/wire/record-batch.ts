import { encodeRecord } from '../../../src/adapters/kafka/kafkajs/record-encoding.ts';
import type { RawRecord } from './raw-record.ts';

export type Compression = 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd';

const CODE: Readonly<Record<Compression, number>> = { none: 0, gzip: 1, snappy: 2, lz4: 3, zstd: 4 };
const HEADER_BYTES = 61;
const CRC_AT = 17;
const ATTRIBUTES_AT = 21;
const NOBODY = -1n;

/**
 * Records as they go into a batch, without compression. kafkajs's form of headers has no room for names that are no text or come
 * twice in a mixed order, so header bytes are written here.
 */
export function encodeRecords(records: readonly RawRecord[]): Buffer {
  return Buffer.concat(records.map((record, index) => encodeRaw(record, index)));
}

/**
 * A record batch of message format 2 around bytes that may be compressed. Only readers of the header rely on the count.
 *
 * Source: https://kafka.apache.org/documentation/#recordbatch
 */
export function recordBatch(records: Buffer, count: number, compression: Compression, now: number): Buffer {
  const batch = Buffer.alloc(HEADER_BYTES + records.length);
  batch.writeInt32BE(batch.length - 12, 8);
  batch.writeInt32BE(-1, 12);
  batch[16] = 2;
  batch.writeInt16BE(CODE[compression], ATTRIBUTES_AT);
  batch.writeInt32BE(count - 1, 23);
  batch.writeBigInt64BE(BigInt(now), 27);
  batch.writeBigInt64BE(BigInt(now), 35);
  batch.writeBigInt64BE(NOBODY, 43);
  batch.writeInt16BE(-1, 51);
  batch.writeInt32BE(-1, 53);
  batch.writeInt32BE(count, 57);
  records.copy(batch, HEADER_BYTES);
  batch.writeUInt32BE(crc32c(batch.subarray(ATTRIBUTES_AT)), CRC_AT);
  return batch;
}

/** A record's head and tail around a value of the given length, which is only compressed and never held in memory. */
export function recordAround(
  key: Buffer,
  valueBytes: number,
): { readonly head: Buffer; readonly tail: Buffer } {
  const empty = encodeRecord({ key, value: Buffer.alloc(0), headers: {} }).buf;
  // Length, then attributes, deltas and key; the value's length and no headers follow.
  const inner = empty.subarray(varintBytes(empty), empty.length - 2);
  const length = varint(valueBytes);
  const tail = Buffer.from([0]);
  const bodyBytes = inner.length + length.length + valueBytes + tail.length;
  return { head: Buffer.concat([varint(bodyBytes), inner, length]), tail };
}

function encodeRaw({ key, value, headers }: RawRecord, offsetDelta: number): Buffer {
  const plain = encodeRecord({ key, value, headers: {}, offsetDelta }).buf;
  const inner = plain.subarray(varintBytes(plain), plain.length - 1);
  const body = Buffer.concat([
    inner,
    varint(headers.length),
    ...headers.flatMap(([name, one]) => [...withLength(name), ...withLength(one)]),
  ]);
  return Buffer.concat([varint(body.length), body]);
}

function withLength(value: Buffer | string | null): Buffer[] {
  if (value === null) return [varint(-1)];
  const bytes = Buffer.from(value);
  return [varint(bytes.length), bytes];
}

/** Zigzag, seven bits a byte. */
function varint(value: number): Buffer {
  const bytes: number[] = [];
  let left = value >= 0 ? value * 2 : -value * 2 - 1;
  while (left >= 128) {
    bytes.push((left % 128) + 128);
    left = Math.floor(left / 128);
  }
  return Buffer.from([...bytes, left]);
}

function varintBytes(bytes: Buffer): number {
  return bytes.findIndex((byte) => byte < 128) + 1;
}

const POLYNOMIAL = 0x82f63b78;
const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? (value >>> 1) ^ POLYNOMIAL : value >>> 1;
  return value >>> 0;
});

/** CRC-32C (Castagnoli). */
function crc32c(bytes: Buffer): number {
  let value = 0xffffffff;
  for (const byte of bytes) value = (TABLE[(value ^ byte) & 0xff] ?? 0) ^ (value >>> 8);
  return (value ^ 0xffffffff) >>> 0;
}
