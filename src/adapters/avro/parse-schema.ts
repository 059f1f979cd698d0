import avro, { type Schema, type Type } from 'avsc';
import { bytesToDecimal, type DecimalShape, decimalToBytes } from './decimal-bytes.ts';
import { isMapSchema, MapType } from './map-type.ts';
import { isOptionalSchema, OptionalType } from './optional-type.ts';

const LONG_BYTES = 8;

/**
 * Longs within the exact range of numbers. avsc's own type fails beyond it: it writes and reads numbers below -2^52 as
 * positive ones.
 */
const exactLong: Type = avro.types.LongType.__with({
  isValid: Number.isSafeInteger,
  fromBuffer: (bytes: Buffer) => Number(bytes.readBigInt64LE()),
  toBuffer: (value: number) => {
    const bytes = Buffer.allocUnsafe(LONG_BYTES);
    // Both halves of a safe integer are exact as numbers; a BigInt costs several times as much.
    bytes.writeInt32LE(value | 0);
    bytes.writeInt32LE(Math.floor(value / 2 ** 32), LONG_BYTES / 2);
    return bytes;
  },
  fromJSON: (value: number) => value,
  toJSON: (value: number) => value,
  compare: (left: number, right: number) => left - right,
});

/** Epoch milliseconds. A type of its own, so that a writer's microseconds are refused and not taken for milliseconds. */
class TimestampType extends avro.types.LogicalType {
  constructor(schema: Schema) {
    super(schema, { typeHook: () => exactLong });
  }

  protected override _fromValue(milliseconds: number): number {
    return milliseconds;
  }

  protected override _toValue(milliseconds: unknown): unknown {
    return milliseconds;
  }

  protected override _resolve(writer: Type): ((value: number) => number) | undefined {
    return writer instanceof TimestampType ? (milliseconds) => milliseconds : undefined;
  }
}

/** Avro's decimal as decimal text. avsc swallows what `_toValue` throws when it checks, and passes it on when it writes. */
export class DecimalType extends avro.types.LogicalType {
  readonly shape: DecimalShape;

  constructor(schema: Schema, options?: unknown) {
    super(schema, options);
    const { type, precision, scale = 0 } = schema as unknown as DecimalShape & { type: string };
    if (type !== 'bytes' || !Number.isInteger(precision) || !Number.isInteger(scale)) {
      // avsc then reads the type without its logical type, as the Avro specification demands.
      throw new TypeError('A decimal is bytes with a whole precision, and a whole scale if it has one.');
    }
    this.shape = { precision, scale };
  }

  protected override _fromValue(bytes: Buffer): string {
    return bytesToDecimal(bytes, this.shape);
  }

  protected override _toValue(text: unknown): Buffer | undefined {
    return typeof text === 'string' ? decimalToBytes(text, this.shape) : undefined;
  }

  /** avsc reads with the writer's type, so a writer's decimal arrives as text; another scale is another type. */
  protected override _resolve(writer: Type): ((value: string) => string) | undefined {
    const sameScale = writer instanceof DecimalType && writer.shape.scale === this.shape.scale;
    return sameScale ? (text) => text : undefined;
  }
}

/** Bytes from any Uint8Array; avsc alone takes only a Buffer. */
class OctetsType extends avro.types.LogicalType {
  protected override _fromValue(bytes: Buffer): Buffer {
    return bytes;
  }

  protected override _toValue(bytes: unknown): Buffer | undefined {
    if (Buffer.isBuffer(bytes)) return bytes;
    if (!(bytes instanceof Uint8Array)) return undefined;
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  protected override _resolve(writer: Type): ((value: Buffer) => Buffer) | undefined {
    return writer instanceof OctetsType ? (bytes) => bytes : undefined;
  }
}

/** Text that is always valid UTF-8: avsc alone writes half a surrogate pair as bytes that other languages refuse to read. */
class TextType extends avro.types.LogicalType {
  protected override _fromValue(text: string): string {
    return text;
  }

  protected override _toValue(text: unknown): string | undefined {
    return typeof text === 'string' ? text.toWellFormed() : undefined;
  }

  protected override _resolve(writer: Type): ((value: string) => string) | undefined {
    return writer instanceof TextType ? (text) => text : undefined;
  }
}

const text = new TextType({ type: 'string', logicalType: 'text' });
const octets = new OctetsType({ type: 'bytes', logicalType: 'octets' });

const logicalTypes = { decimal: DecimalType, 'timestamp-millis': TimestampType };
const primitives: ReadonlyMap<string, Type> = new Map([
  ['string', text],
  ['bytes', octets],
  ['long', exactLong],
]);

/**
 * avsc's type for a schema, in the contract's representation of values: decimals as text, timestamps as epoch
 * milliseconds, bytes from any Uint8Array, maps as objects without a prototype.
 *
 * @throws when `json` is not the JSON of an Avro schema.
 */
export function parseSchema(json: string): Type {
  return avro.Type.forSchema(JSON.parse(json) as Schema, {
    logicalTypes,
    omitRecordMethods: true,
    typeHook: (schema, options) => {
      if (isMapSchema(schema)) return new MapType(schema, options);
      if (isOptionalSchema(schema)) return new OptionalType(schema, options);
      return primitives.get(primitiveName(schema) ?? '');
    },
  });
}

/** `{"type": "string"}` is the primitive too, also with attributes and logical types that have no meaning here. */
function primitiveName(schema: unknown): string | undefined {
  if (typeof schema === 'string') return schema;
  const { type, logicalType } = schema as { type?: unknown; logicalType?: string };
  const hasMeaning = logicalType !== undefined && Object.hasOwn(logicalTypes, logicalType);
  return typeof type === 'string' && !hasMeaning ? type : undefined;
}
