import type { HeaderValue, OutboundRecord, RecordHeaders } from '../../../ports/kafka.ts';

/**
 * Records in one piece of memory, so that another thread gets them without a copy of each. Topics and header names are few
 * and repeat, so they are numbered.
 */
export interface PackedRecords {
  readonly count: number;
  readonly topics: readonly string[];
  readonly headerNames: readonly string[];
  /** To be transferred: the receiving thread owns it. */
  readonly bytes: ArrayBuffer;
}

/** Length of a value that is not there. */
const ABSENT = -1;
/** Number of a partition that the key decides. */
const BY_KEY = -1;
/** UTF-8 takes at most so many bytes for one UTF-16 unit. */
const BYTES_PER_UNIT = 3;
/** Topic, partition, key length, value length, number of headers. */
const RECORD_OVERHEAD_BYTES = 5 * 4;
/** Name and length. */
const HEADER_OVERHEAD_BYTES = 2 * 4;

/** Packs records for `unpackRecords`; headers whose value is undefined are left out. */
export function packRecords(records: readonly OutboundRecord[]): PackedRecords {
  const topics = new Numbering();
  const headerNames = new Numbering();
  const packed = new Packing(records.reduce((sum, record) => sum + mostBytes(record), 0));
  for (const { topic, partition, key, value, headers } of records) {
    packed.int32(topics.numberOf(topic));
    packed.int32(partition ?? BY_KEY);
    packed.bytes(key);
    packed.bytes(value);
    const countAt = packed.int32(0);
    let count = 0;
    for (const name of Object.keys(headers)) {
      for (const one of valuesOf(headers[name])) {
        packed.int32(headerNames.numberOf(name));
        packed.bytes(one);
        count += 1;
      }
    }
    packed.setInt32(countAt, count);
  }
  return {
    count: records.length,
    topics: topics.names,
    headerNames: headerNames.names,
    bytes: packed.buffer,
  };
}

/** The records again; keys, values and headers are views of the packed memory. */
export function unpackRecords({ count, topics, headerNames, bytes }: PackedRecords): OutboundRecord[] {
  const buffer = Buffer.from(bytes);
  let at = 0;
  const int32 = () => {
    at += 4;
    return buffer.readInt32LE(at - 4);
  };
  const view = () => {
    const length = int32();
    if (length === ABSENT) return null;
    at += length;
    return buffer.subarray(at - length, at);
  };
  const nameOf = (names: readonly string[]) => names[int32()] ?? '';

  return Array.from({ length: count }, () => {
    const topic = nameOf(topics);
    const partition = int32();
    const key = view();
    const value = view();
    // A header may have the name of an object member.
    const headers: RecordHeaders = Object.create(null);
    for (let left = int32(); left > 0; left -= 1) {
      const name = nameOf(headerNames);
      const value = view();
      const before = headers[name];
      if (before === undefined) headers[name] = value;
      else if (Array.isArray(before)) before.push(value);
      else headers[name] = [before, value];
    }
    return { topic, key, value, headers, ...(partition !== BY_KEY && { partition }) };
  });
}

function valuesOf(value: HeaderValue): readonly (Uint8Array | string | null)[] {
  if (value === undefined) return [];
  return Array.isArray(value) ? value : [value];
}

function mostBytes({ key, value, headers }: OutboundRecord): number {
  let bytes = RECORD_OVERHEAD_BYTES + mostBytesOf(key) + mostBytesOf(value);
  for (const name of Object.keys(headers)) {
    for (const one of valuesOf(headers[name])) bytes += HEADER_OVERHEAD_BYTES + mostBytesOf(one);
  }
  return bytes;
}

function mostBytesOf(value: Uint8Array | string | null): number {
  if (value === null) return 0;
  return typeof value === 'string' ? value.length * BYTES_PER_UNIT : value.byteLength;
}

class Numbering {
  readonly names: string[] = [];
  private readonly numbers = new Map<string, number>();

  numberOf(name: string): number {
    let number = this.numbers.get(name);
    if (number === undefined) {
      number = this.names.push(name) - 1;
      this.numbers.set(name, number);
    }
    return number;
  }
}

/** Writes one value after the other into memory that is known to be large enough. */
class Packing {
  readonly buffer: ArrayBuffer;
  private readonly view: Buffer;
  private at = 0;

  constructor(bytes: number) {
    this.buffer = new ArrayBuffer(bytes);
    this.view = Buffer.from(this.buffer);
  }

  /** @returns where it was written */
  int32(value: number): number {
    this.view.writeInt32LE(value, this.at);
    this.at += 4;
    return this.at - 4;
  }

  setInt32(at: number, value: number): void {
    this.view.writeInt32LE(value, at);
  }

  bytes(value: Uint8Array | string | null): void {
    if (value === null) {
      this.int32(ABSENT);
    } else if (typeof value === 'string') {
      const length = this.view.write(value, this.at + 4);
      this.view.writeInt32LE(length, this.at);
      this.at += 4 + length;
    } else {
      this.int32(value.byteLength);
      this.view.set(value, this.at);
      this.at += value.byteLength;
    }
  }
}
