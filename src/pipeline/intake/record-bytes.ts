import type { HeaderValue, InboundRecord, OutboundRecord } from '../../ports/kafka.ts';

/** What a record takes besides its content: length, attributes, deltas, and the lengths of key, value and header list. */
const RECORD_OVERHEAD_BYTES = 64;
/** Two lengths, each a varint of at most five bytes. */
const HEADER_OVERHEAD_BYTES = 10;

/** The most that a record takes in a batch, headers included. Linear in the number of headers. */
export function recordBytes(record: OutboundRecord): number {
  let bytes = RECORD_OVERHEAD_BYTES + bytesOf(record.value) + bytesOf(record.key);
  for (const name of Object.keys(record.headers)) {
    const value = record.headers[name];
    if (value === undefined) continue;
    const nameBytes = Buffer.byteLength(name) + HEADER_OVERHEAD_BYTES;
    if (!Array.isArray(value)) bytes += nameBytes + bytesOf(value);
    else for (const one of value) bytes += nameBytes + bytesOf(one);
  }
  return bytes;
}

/** What a header takes in memory besides its bytes, roughly. */
const HELD_HEADER_BYTES = 128;

/** What a fetched record takes in memory: even a thousand empty headers count. */
export function heldBytes({ key, value, headers }: InboundRecord): number {
  let bytes = bytesOf(key) + bytesOf(value);
  for (const name of Object.keys(headers)) {
    const header = headers[name];
    if (!Array.isArray(header)) bytes += name.length + HELD_HEADER_BYTES + bytesOf(header);
    else for (const one of header) bytes += HELD_HEADER_BYTES + bytesOf(one);
  }
  return bytes;
}

function bytesOf(value: Exclude<HeaderValue, unknown[]>): number {
  if (value === null || value === undefined) return 0;
  return typeof value === 'string' ? Buffer.byteLength(value) : value.byteLength;
}
