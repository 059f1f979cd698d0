import type { HeaderValue, InboundRecord } from '../../../src/ports/kafka.ts';

export type HeaderBytes = readonly [name: Buffer | string, value: Buffer | string | null];

/** A record as a publisher can write it: header names are any bytes, empty, or there twice. */
export interface RawRecord {
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: readonly HeaderBytes[];
}

/** The record as a consumer reads it: values of one name together. */
export function asInbound(
  record: RawRecord,
  place: Pick<InboundRecord, 'topic' | 'partition' | 'offset' | 'timestamp'>,
): InboundRecord {
  const headers = Object.create(null) as Record<string, HeaderValue>;
  for (const [name, value] of record.headers) {
    const text = name.toString();
    // A null value is null here too, although kafkajs's types do not know it.
    const bytes = (value === null ? null : Buffer.from(value)) as HeaderValue;
    const known = headers[text];
    if (!(text in headers)) headers[text] = bytes;
    else if (Array.isArray(known)) known.push(bytes as Buffer);
    else headers[text] = [known as Buffer, bytes as Buffer];
  }
  return { ...place, key: record.key, value: record.value, headers };
}
