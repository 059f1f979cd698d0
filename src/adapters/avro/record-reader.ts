import type { Resolver, Type } from 'avsc';
import type { RecordName } from '../../contract/record-types.ts';
import { UndecodableRecord } from '../../contract/undecodable-record.ts';
import { Cursor, type Scan, scanOf } from './scan-body.ts';
import { unknownFields } from './unknown-fields.ts';

/** A schema that a value was written with. */
export interface Writer {
  type: Type;
  scan: Scan;
  /** One of ours, so that it has no field that we do not know. */
  isReleased: boolean;
}

export function writerOf(type: Type, isReleased: boolean): Writer {
  return { type, scan: scanOf(type), isReleased };
}

export interface ReadRecord {
  record: unknown;
  unknownFields: string[];
}

/**
 * Reads bodies of any writer as `reader`. One resolver per writer is built and cached.
 *
 * @returns a function that throws UndecodableRecord: wrong_type, truncated, trailing_bytes or wrong_value.
 */
export function createRecordReader(
  name: RecordName,
  reader: Type,
): (writer: Writer, body: Uint8Array) => ReadRecord {
  const resolvers = new Map<Type, Resolver>();

  /** avsc is fastest without a resolver, and the newest schema is the usual one. */
  function resolverFor(writer: Type): Resolver | undefined {
    if (writer === reader) return undefined;
    const known = resolvers.get(writer);
    if (known) return known;
    const resolver = makeResolver(name, reader, writer);
    resolvers.set(writer, resolver);
    return resolver;
  }

  return (writer, body) => {
    const resolver = resolverFor(writer.type);
    const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
    try {
      scanWhole(name, writer.scan, bytes);
      const record: unknown = reader.decode(bytes, 0, resolver).value;
      if (writer.isReleased) return { record, unknownFields: [] };
      const written: unknown = writer.type.decode(bytes, 0).value;
      return { record, unknownFields: unknownFields(writer.type, reader, written) };
    } catch (cause) {
      if (cause instanceof UndecodableRecord) throw cause;
      // For example, a value of a recursive schema that is nested too deeply for the stack.
      throw new UndecodableRecord(
        'wrong_value',
        `${name}: the value cannot be read with the schema that its header names. Write it with an Avro library and the published schema.`,
        { cause },
      );
    }
  };
}

function makeResolver(name: RecordName, reader: Type, writer: Type): Resolver {
  if (writer.name !== reader.name) {
    throw new UndecodableRecord(
      'wrong_type',
      `The value is a ${writer.name ?? writer.typeName}, this topic carries ${reader.name}. Publish it to its own topic, or write it as ${name}.`,
    );
  }
  try {
    return reader.createResolver(writer);
  } catch (cause) {
    throw new UndecodableRecord(
      'wrong_type',
      `The schema that the value was written with is called ${name}, but cannot be read as one: ${(cause as Error).message.slice(0, 200)}. Write it with the published schema; new fields need a default.`,
      { cause },
    );
  }
}

/** Refuses a body that does not end where the value does. */
function scanWhole(name: RecordName, scan: Scan, bytes: Buffer): void {
  // A request with an inexact number gets a failed response, not a dead letter: the request is read, and
  // the check of its content refuses every number that is not exact.
  const cursor = new Cursor(name, bytes, name === 'ChatRequest');
  scan(cursor);
  const left = bytes.length - cursor.position;
  if (left > 0) {
    throw new UndecodableRecord(
      'trailing_bytes',
      `${name}: ${left} bytes follow the end of the record. It was written with another schema than its header says, or two values were joined: publish one record per value.`,
    );
  }
}
