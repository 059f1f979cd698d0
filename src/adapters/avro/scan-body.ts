import { isUtf8 } from 'node:buffer';
import avro, { type Type } from 'avsc';
import { UndecodableRecord } from '../../contract/undecodable-record.ts';
import { bytesToDecimal } from './decimal-bytes.ts';
import { DecimalType } from './parse-schema.ts';

/**
 * Walks over one encoded value from the cursor's place, without decoding it.
 *
 * @throws {UndecodableRecord} truncated or wrong_value, naming the field.
 */
export type Scan = (cursor: Cursor) => void;

const INT: Range = { min: -(2 ** 31), max: 2 ** 31 - 1 };
const LONG: Range = { min: Number.MIN_SAFE_INTEGER, max: Number.MAX_SAFE_INTEGER };
const ANY_LONG: Range = { min: -(2 ** 63), max: 2 ** 63 };
const VARINT_MAX_BYTES = 10;
/** The most items of one request. An item may be a single byte, and decoding it takes as long as a thousand bytes of text. */
const MOST_ITEMS = 65_536;

interface Range {
  min: number;
  max: number;
}

/** A place in a body, and the field that it belongs to. */
export class Cursor {
  readonly recordName: string;
  readonly bytes: Buffer;
  position = 0;
  /** Field names and array indices down to here. Map keys are content and left out. */
  readonly path: (string | number)[] = [];
  readonly longs: Range;
  #itemsLeft: number;

  /** @param isRequest of anybody: longs beyond what a number carries exactly are let through, items without end are not */
  constructor(recordName: string, bytes: Buffer, isRequest: boolean) {
    this.recordName = recordName;
    this.bytes = bytes;
    this.longs = isRequest ? ANY_LONG : LONG;
    this.#itemsLeft = isRequest ? MOST_ITEMS : Number.POSITIVE_INFINITY;
  }

  /** Counts items of lists and entries of maps, all together. */
  takeItems(count: number): void {
    this.#itemsLeft -= count;
    if (this.#itemsLeft >= 0) return;
    this.fail(
      'too_large',
      `makes more than ${MOST_ITEMS} items in the lists and maps of the record. Send less at once.`,
    );
  }

  fail(code: 'truncated' | 'wrong_value' | 'too_large', problem: string, options?: ErrorOptions): never {
    const field = this.path.map((step) => (typeof step === 'number' ? `[${step}]` : `.${step}`)).join('');
    throw new UndecodableRecord(code, `${this.recordName}${field} ${problem}`, options);
  }

  /** Advances by `byteCount` and returns the earlier place. */
  skip(byteCount: number): number {
    const start = this.position;
    if (byteCount > this.bytes.length - start) {
      this.fail(
        'truncated',
        `needs more bytes than the value has left (${this.bytes.length - start}): it was cut short, or written with another schema than its header says. Publish the whole value.`,
      );
    }
    this.position = start + byteCount;
    return start;
  }

  /** A zigzag variable-length integer. */
  varint({ min, max }: Range): number {
    // The lowest bit is the sign. It is kept apart, since a double cannot hold it together with 53 others.
    const first = this.bytes[this.skip(1)] ?? 0;
    let magnitude = (first & 0x7f) >> 1;
    let byte = first;
    for (let count = 1, factor = 64; byte >= 0x80; count += 1, factor *= 128) {
      if (count === VARINT_MAX_BYTES) {
        this.fail('wrong_value', `is not an integer: it has more than ${VARINT_MAX_BYTES} bytes.`);
      }
      byte = this.bytes[this.skip(1)] ?? 0;
      magnitude += (byte & 0x7f) * factor;
    }
    const value = first & 1 ? -magnitude - 1 : magnitude;
    if (value < min || value > max) {
      this.fail('wrong_value', `is outside the range that can be represented exactly (${min} to ${max}).`);
    }
    return value;
  }

  /** A length-prefixed run of bytes. */
  run(): Buffer {
    const byteCount = this.varint(LONG);
    if (byteCount < 0) this.fail('wrong_value', 'has a negative length.');
    const start = this.skip(byteCount);
    return this.bytes.subarray(start, this.position);
  }
}

/**
 * The scan for values of `type`. avsc trusts its input: past the end it reads zeros, and a count of a billion makes a
 * billion items. So every body is scanned before avsc reads it.
 *
 * @param known scans already built, so that a recursive type of another writer ends.
 */
export function scanOf(type: Type, known = new Map<Type, Scan>()): Scan {
  const made = known.get(type);
  if (made) return made;
  known.set(type, (cursor) => known.get(type)?.(cursor));
  const scan = makeScan(type, (nested) => scanOf(nested, known));
  known.set(type, scan);
  return scan;
}

function makeScan(type: Type, scanOfNested: (type: Type) => Scan): Scan {
  const { types } = avro;
  if (type instanceof DecimalType) return decimalScan(type);
  if (type instanceof types.LogicalType) return scanOfNested(type.underlyingType);
  if (type instanceof types.RecordType) return recordScan(type, scanOfNested);
  if (type instanceof types.ArrayType) return arrayScan(scanOfNested(type.itemsType));
  if (type instanceof types.MapType) return mapScan(scanOfNested(type.valuesType as Type));
  if (type instanceof types.EnumType) return (cursor) => void indexBelow(type.symbols.length, cursor);
  if (type instanceof types.FixedType) return (cursor) => void cursor.skip(type.size);
  if (type instanceof types.UnwrappedUnionType || type instanceof types.WrappedUnionType) {
    const branches = type.types.map(scanOfNested);
    return (cursor) => branches[indexBelow(branches.length, cursor)]?.(cursor);
  }
  const scan = primitiveScans[type.typeName];
  if (!scan) throw new TypeError(`Avro type ${type.typeName} is not known to the scanner.`);
  return scan;
}

const primitiveScans: Record<string, Scan> = {
  null: () => {},
  boolean: (cursor) => {
    if ((cursor.bytes[cursor.skip(1)] ?? 0) > 1) cursor.fail('wrong_value', 'is neither true nor false.');
  },
  int: (cursor) => void cursor.varint(INT),
  long: (cursor) => void cursor.varint(cursor.longs),
  'abstract:long': (cursor) => void cursor.varint(cursor.longs),
  float: (cursor) => void cursor.skip(4),
  double: (cursor) => void cursor.skip(8),
  bytes: (cursor) => void cursor.run(),
  string: (cursor) => {
    if (!isUtf8(cursor.run())) cursor.fail('wrong_value', 'is not UTF-8.');
  },
};

function recordScan(type: avro.types.RecordType, scanOfNested: (type: Type) => Scan): Scan {
  const fields = type.fields.map((field) => ({ name: field.name, scan: scanOfNested(field.type) }));
  return (cursor) => {
    const depth = cursor.path.length;
    for (const field of fields) {
      cursor.path[depth] = field.name;
      field.scan(cursor);
    }
    cursor.path.length = depth;
  };
}

function arrayScan(item: Scan): Scan {
  return (cursor) => {
    const depth = cursor.path.length;
    let index = 0;
    for (let count = blockCount(cursor); count > 0; count = blockCount(cursor)) {
      for (const end = index + count; index < end; index += 1) {
        cursor.path[depth] = index;
        item(cursor);
      }
      cursor.path.length = depth;
    }
  };
}

function mapScan(value: Scan): Scan {
  return (cursor) => {
    for (let count = blockCount(cursor); count > 0; count = blockCount(cursor)) {
      // Counted twice: a key takes longer than an item.
      cursor.takeItems(count);
      for (let entry = 0; entry < count; entry += 1) {
        const key = cursor.run();
        if (!isUtf8(key)) cursor.fail('wrong_value', 'has a key that is not UTF-8.');
        value(cursor);
      }
    }
  };
}

/** The number of items in the block that begins here; each has at least a byte. */
function blockCount(cursor: Cursor): number {
  const count = cursor.varint(LONG);
  if (count >= 0) return requireItems(count, cursor);
  // A negative count is followed by the block's size, for readers that skip it.
  cursor.varint(LONG);
  return requireItems(-count, cursor);
}

function requireItems(count: number, cursor: Cursor): number {
  const left = cursor.bytes.length - cursor.position;
  if (count > left) {
    cursor.fail(
      'truncated',
      `claims ${count} items where ${left} bytes are left: the value was cut short, or written with another schema than its header says. Publish the whole value.`,
    );
  }
  cursor.takeItems(count);
  return count;
}

function indexBelow(count: number, cursor: Cursor): number {
  const index = cursor.varint(INT);
  if (index < 0 || index >= count) {
    cursor.fail('wrong_value', `has choice ${index} of ${count} (a union's branch or an enum's symbol).`);
  }
  return index;
}

function decimalScan(type: DecimalType): Scan {
  return (cursor) => {
    const bytes = cursor.run();
    try {
      bytesToDecimal(bytes, type.shape);
    } catch (cause) {
      cursor.fail('wrong_value', `${(cause as RangeError).message}.`, { cause });
    }
  };
}
