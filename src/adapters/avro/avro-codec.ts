import type { Type } from 'avsc';
import type { RecordCodec } from '../../contract/codec.ts';
import {
  CONFLUENT_HEADER_BYTES,
  parseFrame,
  SINGLE_OBJECT_HEADER_BYTES,
  writeConfluentHeader,
  writeSingleObjectHeader,
} from '../../contract/framing.ts';
import { RECORD_NAMES, type RecordName, type RecordTypes } from '../../contract/record-types.ts';
import { UndecodableRecord } from '../../contract/undecodable-record.ts';
import { describeMisfit } from './describe-misfit.ts';
import { fingerprintOf, fingerprintText } from './fingerprint.ts';
import type { Schemas } from './load-schemas.ts';
import { parseSchema } from './parse-schema.ts';
import { createRecordReader, type Writer, writerOf } from './record-reader.ts';

export type OutputFraming =
  | { kind: 'single-object' }
  | {
      kind: 'confluent';
      /** The registry's id of this version's schema. */
      idOf: (name: RecordName) => number;
      /** The JSON text of a registered schema; undefined when the registry has no such id. */
      schemaOf: (id: number) => string | undefined;
    };

export interface AvroCodecOptions {
  schemas: Schemas;
  /** How values are written. Single-object encoding is always read, Confluent framing only when it is also written. */
  framing: OutputFraming;
  /** Longer values are refused unread. */
  maxBytes: number;
}

/** Most records fit, so their size need not be known before they are written. */
const SCRATCH_BYTES = 64 * 1024;

/** The contract's codec over avsc. Parsed schemas and resolvers are cached for its life; make one per process. */
export function createAvroCodec({ schemas, framing, maxBytes }: AvroCodecOptions): RecordCodec {
  const scratch = Buffer.allocUnsafeSlow(SCRATCH_BYTES);
  const current = new Map(
    RECORD_NAMES.map((name) => {
      const type = parseSchema(schemas.current[name]);
      return [name, { type, fingerprint: fingerprintOf(type), read: createRecordReader(name, type) }];
    }),
  );
  const released = new Map<bigint, Writer>();
  // A fingerprint does not cover logical types, so a registered schema is compared with ours as a whole.
  const releasedByText = new Map<string, Writer>();
  for (const json of [...Object.values(schemas.current), ...schemas.released]) {
    const parsed = parseSchema(json);
    const fingerprint = fingerprintOf(parsed);
    const known = [...current.values()].find((entry) => entry.fingerprint === fingerprint);
    const writer = released.get(fingerprint) ?? writerOf(known?.type ?? parsed, true);
    released.set(fingerprint, writer);
    releasedByText.set(normalized(json), writer);
  }
  const registered = new Map<number, Writer>();

  const entryOf = (name: RecordName) => {
    const entry = current.get(name);
    if (!entry) throw new TypeError(`There is no record ${name} in the contract.`);
    return entry;
  };

  function writerByFingerprint(fingerprint: bigint): Writer {
    const writer = released.get(fingerprint);
    if (writer) return writer;
    throw new UndecodableRecord(
      'unknown_fingerprint',
      `The value was written with a schema (CRC-64-AVRO fingerprint ${fingerprintText(fingerprint)}) that is not one of the ${released.size} released ones. Write it with a schema as it was published, or upgrade this service to a version that has it.`,
    );
  }

  function writerBySchemaId(schemaId: number): Writer {
    const cached = registered.get(schemaId);
    if (cached) return cached;
    if (framing.kind !== 'confluent') {
      throw new UndecodableRecord(
        'registry_not_configured',
        `The value has Confluent framing (schema id ${schemaId}), but a schema registry is not supported yet (SCHEMA_REGISTRY_URL). Publish it in Avro single-object encoding or as JSON.`,
      );
    }
    const json = framing.schemaOf(schemaId);
    if (json === undefined) {
      throw new UndecodableRecord(
        'unknown_schema_id',
        `The schema registry has no schema with id ${schemaId}. Look whether the producer uses the registry that SCHEMA_REGISTRY_URL names.`,
      );
    }
    const type = parseRegistered(schemaId, json);
    const writer = releasedByText.get(normalized(json)) ?? writerOf(type, false);
    registered.set(schemaId, writer);
    return writer;
  }

  return {
    encode(name, record) {
      const { type, fingerprint } = entryOf(name);
      const headerBytes = framing.kind === 'confluent' ? CONFLUENT_HEADER_BYTES : SINGLE_OBJECT_HEADER_BYTES;
      const value = writeBody(name, type, record, scratch, headerBytes);
      if (framing.kind === 'confluent') writeConfluentHeader(value, framing.idOf(name));
      else writeSingleObjectHeader(value, fingerprint);
      return value;
    },

    decode<N extends RecordName>(
      name: N,
      value: Uint8Array | null,
      headers?: Readonly<Record<string, unknown>>,
    ) {
      if (value !== null && value.byteLength > maxBytes) {
        throw new UndecodableRecord(
          'too_large',
          `The value has ${value.byteLength} bytes, at most ${maxBytes} are taken (RECORD_MAX_BYTES). Send media by URL or file id, or raise the limit.`,
        );
      }
      const frame = parseFrame(value, headers);
      const writer =
        frame.kind === 'confluent'
          ? writerBySchemaId(frame.schemaId)
          : writerByFingerprint(frame.fingerprint);
      const { record, unknownFields } = entryOf(name).read(writer, frame.body);
      return { record: record as RecordTypes[N], unknownFields };
    },
  };
}

/** `record` encoded after `headerBytes` free bytes. Copied once, or not at all if it is larger than the scratch buffer. */
function writeBody(
  name: RecordName,
  type: Type,
  record: unknown,
  scratch: Buffer,
  headerBytes: number,
): Buffer {
  try {
    const end = type.encode(record, scratch, headerBytes);
    if (end >= 0) return Buffer.from(scratch.subarray(0, end));
    const value = Buffer.allocUnsafe(scratch.length - end);
    type.encode(record, value, headerBytes);
    return value;
  } catch {
    // avsc's message contains the value, which must not be logged.
    throw new TypeError(`A ${name} cannot be encoded: ${name}${describeMisfit(type, record)}.`);
  }
}

/** Removes spaces and line ends, so that two texts of one schema compare equal. */
function normalized(json: string): string {
  return JSON.stringify(JSON.parse(json));
}

function parseRegistered(schemaId: number, json: string): Type {
  try {
    return parseSchema(json);
  } catch (cause) {
    throw new UndecodableRecord(
      'wrong_type',
      `The registry's schema with id ${schemaId} is not an Avro schema. Register schemas/*.avsc (completion-bus schemas register) and write with those.`,
      { cause },
    );
  }
}
