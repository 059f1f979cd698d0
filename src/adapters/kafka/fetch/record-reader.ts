import type { RecordHeaders, UnreadableRecord } from '../../../ports/kafka.ts';
import { damaged } from '../inflation/unreadable-batch.ts';
import type { BatchHeader } from './batch-header.ts';
import { MAX_HEADER_BYTES, MAX_HEADERS, MAX_KEPT_KEY_BYTES } from './batch-limits.ts';

/** A record in the form in which kafkajs hands messages on. */
export interface FetchedMessage {
  readonly magicByte: number;
  readonly attributes: number;
  readonly timestamp: string;
  readonly offset: string;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: RecordHeaders;
  /** kafkajs moves its position over it and hands it to nobody. */
  readonly isControlRecord: boolean;
  readonly unreadable?: UnreadableRecord;
}

const EMPTY = Buffer.alloc(0);
const LONGEST_VARINT_BYTES = 10;
const KNOWN_NAMES = 32;
const KNOWN_NAME_BYTES = 64;

/**
 * Reads the records of a batch, message format 2, one at a time; made once and used for each, since records are many.
 *
 * Source: https://kafka.apache.org/documentation/#record
 */
export class RecordReader {
  /** Of the record that was begun last. */
  offset = 0;
  /** Of the record that was finished last, as far as they were read. */
  headerCount = 0;
  private readonly header: BatchHeader;
  private readonly names: { readonly bytes: Buffer; readonly text: string }[] = [];
  private timestamp = 0;
  private buffer: Buffer = EMPTY;
  private at = 0;
  private end = 0;

  constructor(header: BatchHeader) {
    this.header = header;
  }

  /**
   * Reads a record's offset and time.
   *
   * @throws UnreadableBatch when they are not there
   */
  begin(buffer: Buffer, start: number, end: number): void {
    this.buffer = buffer;
    // Its attributes are not used by Kafka.
    this.at = start + 1;
    this.end = end;
    const { appendTime, firstTimestamp, baseOffset } = this.header;
    const timestampDelta = this.varint();
    this.timestamp = appendTime ?? firstTimestamp + timestampDelta;
    this.offset = baseOffset + this.varint();
  }

  /**
   * The rest of the record, in memory of its own: a slow request must not hold the batch that it came with.
   *
   * @throws UnreadableBatch when it is damaged
   */
  finish(): FetchedMessage {
    this.headerCount = 0;
    const contentAt = this.at;
    this.skipField();
    this.skipField();
    const headerCount = this.varint();
    if (headerCount < 0) throw damaged('a record has a negative number of headers');
    const headerBytes = this.end - this.at;
    if (headerCount > MAX_HEADERS)
      return this.tooLarge(contentAt, `${headerCount} headers; at most ${MAX_HEADERS} are read`);
    if (headerBytes > MAX_HEADER_BYTES)
      return this.tooLarge(
        contentAt,
        `${headerBytes} bytes of headers; at most ${MAX_HEADER_BYTES} are read`,
      );
    this.moveToOwnMemory(contentAt);
    this.headerCount = headerCount;
    const key = this.bytes();
    const value = this.bytes();
    this.varint();
    return this.message(key, value, this.headers(headerCount));
  }

  /** Of a record of more than `recordMaxBytes` only its beginning is here. */
  finishCut(recordMaxBytes: number): FetchedMessage {
    return this.tooLarge(this.at, `more than ${recordMaxBytes} bytes`);
  }

  private tooLarge(contentAt: number, found: string): FetchedMessage {
    this.at = contentAt;
    return {
      ...this.message(this.keptKey(), null, noHeaders()),
      unreadable: { code: 'too_large', message: `The record has ${found}. Publish smaller records` },
    };
  }

  /** The record that `begin` began, marked as one that cannot be read. */
  unreadable(unreadable: UnreadableRecord): FetchedMessage {
    return { ...this.message(null, null, noHeaders()), unreadable };
  }

  /** What is the most of its memory already stays there. */
  private moveToOwnMemory(from: number): void {
    const { buffer, end } = this;
    const length = end - from;
    this.at = from;
    if (2 * length >= buffer.buffer.byteLength) return;
    this.buffer = ownMemory(length);
    buffer.copy(this.buffer, 0, from, end);
    this.at = 0;
    this.end = length;
  }

  private message(key: Buffer | null, value: Buffer | null, headers: RecordHeaders): FetchedMessage {
    return {
      magicByte: 2,
      attributes: 0,
      timestamp: String(this.timestamp),
      offset: String(this.offset),
      key,
      value,
      headers,
      isControlRecord: this.header.isControl,
    };
  }

  private headers(count: number): RecordHeaders {
    const headers = noHeaders();
    for (let left = count; left > 0; left -= 1) {
      const nameBytes = this.length();
      if (nameBytes < 0) throw damaged('a record has a header without a name');
      const name = this.nameAt(count - left, nameBytes);
      this.at += nameBytes;
      const value = this.bytes();
      const before = headers[name];
      if (before === undefined) headers[name] = value;
      else if (Array.isArray(before)) before.push(value);
      else headers[name] = [before, value];
    }
    return headers;
  }

  /** The records of a batch mostly have the same headers in the same places, and text is costly to make. */
  private nameAt(place: number, nameBytes: number): string {
    const { buffer, at } = this;
    const known = this.names[place];
    if (known?.bytes.length === nameBytes) {
      let same = 0;
      while (same < nameBytes && known.bytes[same] === buffer[at + same]) same += 1;
      if (same === nameBytes) return known.text;
    }
    const text = buffer.toString('utf8', at, at + nameBytes);
    if (place < KNOWN_NAMES && nameBytes <= KNOWN_NAME_BYTES)
      this.names[place] = { bytes: buffer.subarray(at, at + nameBytes), text };
    return text;
  }

  private keptKey(): Buffer | null {
    const length = this.varint();
    if (length < 0 || length > MAX_KEPT_KEY_BYTES || this.at + length > this.end) return null;
    return Buffer.from(this.buffer.subarray(this.at, this.at + length));
  }

  private skipField(): void {
    const length = this.length();
    if (length > 0) this.at += length;
  }

  private bytes(): Buffer | null {
    const length = this.length();
    if (length <= 0) return length < 0 ? null : EMPTY;
    this.at += length;
    return this.buffer.subarray(this.at - length, this.at);
  }

  /** The length of what begins behind it; -1 for what is not there. */
  private length(): number {
    const length = this.varint();
    if (length < -1 || this.at + length > this.end)
      throw damaged('a field of a record ends beyond the record');
    return length;
  }

  /** Zigzag. Exact up to 2^53; beyond, as only a time can be, it is near enough. */
  private varint(): number {
    const { buffer, end } = this;
    let byte = 0x80;
    let value = 0;
    let factor = 1;
    for (let size = 0; byte >= 0x80; size += 1) {
      if (size === LONGEST_VARINT_BYTES || this.at >= end) throw damaged('a record ends within a number');
      byte = buffer[this.at] as number;
      this.at += 1;
      value += (byte & 0x7f) * factor;
      factor *= 128;
    }
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }
}

export function noHeaders(): RecordHeaders {
  return Object.create(null);
}

/** Small records share pages of this size: that much at most is held by one that waits, and Node's own pages are four times of it. */
const PAGE_BYTES = 16 * 1024;
const SMALL_BYTES = 2 * 1024;
let page = Buffer.alloc(0);

function ownMemory(bytes: number): Buffer {
  if (bytes > SMALL_BYTES) return Buffer.allocUnsafeSlow(bytes);
  if (bytes > page.length) page = Buffer.allocUnsafeSlow(PAGE_BYTES);
  const memory = page.subarray(0, bytes);
  page = page.subarray(bytes);
  return memory;
}
