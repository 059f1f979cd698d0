import { KEY_SCHEMA_ID_HEADER, type RecordHeaders } from './framing.ts';
import type { RecordInputTypes, RecordName, RecordTypes } from './record-types.ts';
import { UndecodableRecord } from './undecodable-record.ts';

export interface Decoded<N extends RecordName> {
  /** All fields present: fields unknown to the writer have their defaults. */
  record: RecordTypes[N];
  /**
   * Paths (such as `messages[0].mood`) of fields that a newer writer set to something other than their default and that
   * this version does not know. Empty for every released writer.
   */
  unknownFields: string[];
}

/** Turns records into the values of Kafka records, and back. Implementations are stateless for the caller and never block. */
export interface RecordCodec {
  /**
   * The framed value.
   *
   * @throws {TypeError} naming the field, when `record` does not fit its schema: a bug of the caller.
   */
  encode<N extends RecordName>(name: N, record: RecordInputTypes[N]): Buffer;

  /**
   * Reads a value that claims to be a `name` record.
   *
   * @param value null for a tombstone.
   * @param headers used only to explain a value whose schema id is not in the value.
   * @throws {UndecodableRecord} for anything that is not such a record.
   */
  decode<N extends RecordName>(name: N, value: Uint8Array | null, headers?: RecordHeaders): Decoded<N>;
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * A record key as text; null when the record has none.
 *
 * @param headers used only to detect a key that was serialized with a schema.
 * @throws {UndecodableRecord} `invalid_key` when it is not UTF-8, `header_schema_id` when it is Avro.
 */
export function decodeKey(key: Uint8Array | null, headers?: RecordHeaders): string | null {
  if (key === null) return null;
  if (headers?.[KEY_SCHEMA_ID_HEADER] !== undefined) {
    throw new UndecodableRecord(
      'header_schema_id',
      `The record's key was serialized with a schema (header ${KEY_SCHEMA_ID_HEADER}). Keys are plain UTF-8 text: configure the producer's key serializer for strings.`,
    );
  }
  try {
    return utf8.decode(key);
  } catch (cause) {
    throw new UndecodableRecord(
      'invalid_key',
      `The record's key (${key.byteLength} bytes) is not UTF-8. Keys are plain text, the conversationId or else the requestId: configure the producer's key serializer for strings.`,
      { cause },
    );
  }
}
