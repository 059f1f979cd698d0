/** Why a record could not be read. Closed: dead letters carry it as `dead-code`. */
export type UndecodableCode =
  /** A null value. */
  | 'tombstone'
  /** A value of no bytes. */
  | 'empty_record'
  /** In neither of the two framings. */
  | 'wrong_framing'
  /** Starts like a JSON object but is not valid JSON. */
  | 'invalid_json'
  /** AWS Glue's header. */
  | 'glue_framing'
  /** The schema id is in a record header. */
  | 'header_schema_id'
  /** Confluent framing, but no registry to look the id up. */
  | 'registry_not_configured'
  /** The registry does not have this id. */
  | 'unknown_schema_id'
  /** Single-object encoding with a schema that was never released. */
  | 'unknown_fingerprint'
  /** The value ends before the record does. */
  | 'truncated'
  /** The record ends before the value does. */
  | 'trailing_bytes'
  /** Another record's schema. */
  | 'wrong_type'
  /** Bytes that are not a valid value of a field. */
  | 'wrong_value'
  /** Above the configured limit. */
  | 'too_large'
  /** Its batch is damaged, or uses an unknown compression. */
  | 'unreadable_batch'
  /** A key that is not UTF-8. */
  | 'invalid_key';

/**
 * A record that can never be read. The message says what is wrong, what was found and what to do. It never contains the
 * record's content.
 */
export class UndecodableRecord extends Error {
  readonly code: UndecodableCode;
  readonly retryable = false;

  constructor(code: UndecodableCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'UndecodableRecord';
    this.code = code;
  }
}
