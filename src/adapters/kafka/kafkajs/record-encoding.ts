import { createRequire } from 'node:module';
import type { Message } from 'kafkajs';

/** A record's bytes in the form of kafkajs's own encoder, of which its batches take just these. */
export interface EncodedRecord {
  readonly buf: Buffer;
  readonly buffer: Buffer;
}

/** A message at its place in a batch; deltas are to the batch's first record. */
export type RecordToEncode = Pick<Message, 'key' | 'headers'> & {
  readonly value?: Buffer | string | null;
  readonly offsetDelta?: number;
  /** Milliseconds. */
  readonly timestampDelta?: number;
};

const ATTRIBUTES = 0;
const NOTHING = -1;
const KAFKAJS_RECORD = 'kafkajs/src/protocol/recordBatch/record/v0/index.js';

/**
 * Makes kafkajs encode records with `encodeRecord`. kafkajs's own encoder allocates a zeroed buffer of 512 bytes for each record
 * and each header, which was a sixth of the service's processor time under load. Call this before the first produce, when
 * kafkajs loads its encoder.
 */
export function installRecordEncoding(): void {
  const require = createRequire(import.meta.url);
  const path = require.resolve(KAFKAJS_RECORD);
  require(path);
  const module = require.cache[path];
  if (module !== undefined) module.exports = encodeRecord;
}

/**
 * A record of a batch, message format 2: length, attributes, deltas, key, value and headers, numbers as zigzag varints.
 * A header with several values is written once for each.
 *
 * Source: https://kafka.apache.org/documentation/#record
 */
export function encodeRecord({
  offsetDelta = 0,
  timestampDelta = 0,
  key,
  value,
  headers = {},
}: RecordToEncode): EncodedRecord {
  let headerCount = 0;
  let bodyBytes = 1 + sizeOfVarint(timestampDelta) + sizeOfVarint(offsetDelta) + sizeOf(key) + sizeOf(value);
  for (const name in headers) {
    const values = headers[name];
    for (const one of Array.isArray(values) ? values : [values]) {
      headerCount += 1;
      bodyBytes += sizeOf(name) + sizeOf(one);
    }
  }
  bodyBytes += sizeOfVarint(headerCount);

  const buf = Buffer.allocUnsafe(sizeOfVarint(bodyBytes) + bodyBytes);
  let at = writeVarint(buf, 0, bodyBytes);
  buf[at] = ATTRIBUTES;
  at = writeVarint(buf, at + 1, timestampDelta);
  at = writeVarint(buf, at, offsetDelta);
  at = writeBytes(buf, at, key);
  at = writeBytes(buf, at, value);
  at = writeVarint(buf, at, headerCount);
  for (const name in headers) {
    const values = headers[name];
    for (const one of Array.isArray(values) ? values : [values]) {
      at = writeBytes(buf, at, name);
      at = writeBytes(buf, at, one);
    }
  }
  return { buf, buffer: buf };
}

type Bytes = Buffer | string | null | undefined;

function sizeOf(value: Bytes): number {
  if (value === null || value === undefined) return sizeOfVarint(NOTHING);
  const length = typeof value === 'string' ? Buffer.byteLength(value) : value.length;
  return sizeOfVarint(length) + length;
}

function writeBytes(buf: Buffer, at: number, value: Bytes): number {
  if (value === null || value === undefined) return writeVarint(buf, at, NOTHING);
  if (typeof value === 'string') {
    const from = writeVarint(buf, at, Buffer.byteLength(value));
    return from + buf.write(value, from);
  }
  const from = writeVarint(buf, at, value.length);
  buf.set(value, from);
  return from + value.length;
}

/** Zigzag: small numbers of either sign take few bytes. Exact for all safe integers, which bit operators are not. */
function zigzag(value: number): number {
  return value < 0 ? -2 * value - 1 : 2 * value;
}

function sizeOfVarint(value: number): number {
  let size = 1;
  for (let rest = zigzag(value); rest >= 0x80; rest = Math.floor(rest / 0x80)) size += 1;
  return size;
}

/** @returns the place after it */
function writeVarint(buf: Buffer, at: number, value: number): number {
  let place = at;
  let rest = zigzag(value);
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) {
    buf[place] = (rest % 0x80) | 0x80;
    place += 1;
  }
  buf[place] = rest;
  return place + 1;
}
