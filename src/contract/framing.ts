import { UndecodableRecord } from './undecodable-record.ts';

/** The schema of a value, as its first bytes identify it. */
export type Frame =
  /** Avro single-object encoding: 0xC3 0x01, CRC-64-AVRO fingerprint (little-endian), body. */
  | { kind: 'single-object'; fingerprint: bigint; body: Uint8Array }
  /** Confluent: 0x00, schema id (big-endian), body. */
  | { kind: 'confluent'; schemaId: number; body: Uint8Array };

/** A record's Kafka headers; only the names are read. */
export type RecordHeaders = Readonly<Record<string, unknown>>;

export const SINGLE_OBJECT_HEADER_BYTES = 10;
export const CONFLUENT_HEADER_BYTES = 5;

/** Where Confluent's newer serializers can put the schema id (a GUID) instead of in front of the body. */
export const VALUE_SCHEMA_ID_HEADER = '__value_schema_id';
export const KEY_SCHEMA_ID_HEADER = '__key_schema_id';

const SINGLE_OBJECT_MARK = [0xc3, 0x01] as const;
const CONFLUENT_MARK = 0x00;
const GLUE = { version: 0x03, uncompressed: 0x00, zlib: 0x05, headerBytes: 18 } as const;

/**
 * Reads the frame of a value.
 *
 * @throws {UndecodableRecord} tombstone, empty_record, header_schema_id, glue_framing, wrong_framing or truncated.
 */
export function parseFrame(value: Uint8Array | null, headers?: RecordHeaders): Frame {
  if (value === null) {
    throw new UndecodableRecord(
      'tombstone',
      'The record has no value (a tombstone). These topics are never compacted: publish a record, or nothing.',
    );
  }
  if (value.byteLength === 0) {
    throw new UndecodableRecord(
      'empty_record',
      'The value has no bytes, not even a frame. Publish it in Avro single-object encoding or in Confluent framing.',
    );
  }
  if (value[0] === SINGLE_OBJECT_MARK[0] && value[1] === SINGLE_OBJECT_MARK[1]) {
    requireHeader(value, SINGLE_OBJECT_HEADER_BYTES, 'single-object encoding');
    const fingerprint = view(value).getBigUint64(SINGLE_OBJECT_MARK.length, true);
    return { kind: 'single-object', fingerprint, body: value.subarray(SINGLE_OBJECT_HEADER_BYTES) };
  }
  // A body without a frame can begin with any byte, so the header takes precedence over the first byte.
  if (headers?.[VALUE_SCHEMA_ID_HEADER] !== undefined) {
    throw new UndecodableRecord(
      'header_schema_id',
      `The schema id is in the header ${VALUE_SCHEMA_ID_HEADER}, not in the value. Configure the producer's serializer to put the id in front of the value (value.schema.id.serializer: PrefixSchemaIdSerializer).`,
    );
  }
  if (isGlue(value)) {
    throw new UndecodableRecord(
      'glue_framing',
      'The value has the header of the AWS Glue Schema Registry (0x03 and a schema version UUID), which is not supported. Publish it in Avro single-object encoding or as JSON.',
    );
  }
  if (value[0] === CONFLUENT_MARK) {
    requireHeader(value, CONFLUENT_HEADER_BYTES, 'Confluent framing');
    const schemaId = view(value).getUint32(1);
    return { kind: 'confluent', schemaId, body: value.subarray(CONFLUENT_HEADER_BYTES) };
  }
  throw new UndecodableRecord(
    'wrong_framing',
    `The value (${value.byteLength} bytes, the first is ${hexByte(value[0])}) has neither frame: Avro single-object encoding begins with 0xC3 0x01, Confluent framing with 0x00. Plain Avro, Avro files and text are not read here; on request topics a JSON object, which begins with {, is.`,
  );
}

/** Writes the header of single-object encoding at the start of `target`, which has at least SINGLE_OBJECT_HEADER_BYTES. */
export function writeSingleObjectHeader(target: Uint8Array, fingerprint: bigint): void {
  target.set(SINGLE_OBJECT_MARK);
  view(target).setBigUint64(SINGLE_OBJECT_MARK.length, fingerprint, true);
}

/** Writes the header of Confluent framing at the start of `target`, which has at least CONFLUENT_HEADER_BYTES. */
export function writeConfluentHeader(target: Uint8Array, schemaId: number): void {
  target[0] = CONFLUENT_MARK;
  view(target).setUint32(1, schemaId);
}

function isGlue(value: Uint8Array): boolean {
  const compression = value[1];
  return (
    value[0] === GLUE.version &&
    (compression === GLUE.uncompressed || compression === GLUE.zlib) &&
    value.byteLength >= GLUE.headerBytes
  );
}

function requireHeader(value: Uint8Array, headerBytes: number, framing: string): void {
  if (value.byteLength >= headerBytes) return;
  throw new UndecodableRecord(
    'truncated',
    `The value ends within its header: ${framing} has ${headerBytes} bytes before the body, found ${value.byteLength} in all. Publish the whole value.`,
  );
}

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function hexByte(byte: number | undefined): string {
  return `0x${(byte ?? 0).toString(16).padStart(2, '0').toUpperCase()}`;
}
