import type { ChatRequest, Problem } from '../../contract/record-types.ts';
import type { BodyReader } from '../../contract/request-body.ts';
import { UndecodableRecord } from '../../contract/undecodable-record.ts';
import { type JsonShape, jsonShape } from '../../domain/validate/check-json.ts';
import { LIMITS } from '../../domain/validate/limits.ts';
import type { InboundRecord } from '../../ports/kafka.ts';
import { readHeaders } from './read-headers.ts';

/** A request as read from its record, with the problems of reading it. */
export interface DecodedRequest {
  readonly request: ChatRequest;
  readonly problems: Problem[];
}

export interface JsonOptions {
  /** For values that are a provider's own request body in JSON. */
  readonly readBody: BodyReader;
  /** Longer JSON values are refused unread. The codec has its own limit. */
  readonly jsonMaxBytes: number;
}

const BYTE_ORDER_MARK = [0xef, 0xbb, 0xbf] as const;
const SPACES: ReadonlySet<number | undefined> = new Set([0x20, 0x09, 0x0a, 0x0d]);
const OPENING_BRACE = 0x7b;

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** Whether a value starts as a JSON object does. No Avro framing starts with such bytes. */
export function isJsonObject(value: Uint8Array | null): value is Uint8Array {
  if (value === null) return false;
  let start = BYTE_ORDER_MARK.every((byte, index) => value[index] === byte) ? BYTE_ORDER_MARK.length : 0;
  while (SPACES.has(value[start])) start += 1;
  return value[start] === OPENING_BRACE;
}

/**
 * Reads a request that is a provider's own request body. The fields of this service are in the record's headers.
 *
 * @throws UndecodableRecord too_large or invalid_json
 */
export function decodeJsonRequest(
  record: InboundRecord,
  value: Uint8Array,
  { readBody, jsonMaxBytes: maxBytes }: JsonOptions,
): DecodedRequest {
  if (value.byteLength > maxBytes) {
    throw new UndecodableRecord(
      'too_large',
      `The value has ${value.byteLength} bytes, but at most ${maxBytes} are allowed (RECORD_MAX_BYTES). Send media by URL or file id, or raise the limit.`,
    );
  }
  const text = decodeText(value);
  const tooMuch = tooMuchOf(jsonShape(text));
  // A body that is nested or listed without end must not be walked through. Its sender still gets an answer.
  const body = readBody(tooMuch === null ? parse(text) : {});
  const headers = readHeaders(record);
  const request = { ...body.fields, ...headers.fields };
  if (tooMuch === null) return { request, problems: [...headers.problems, ...body.problems] };
  return { request, problems: [...headers.problems, { path: '', code: 'wrong_type', message: tooMuch }] };
}

/** Null if it may be parsed. */
function tooMuchOf({ depth, size }: JsonShape): string | null {
  if (depth > LIMITS.bodyDepth)
    return `the body is nested deeper than ${LIMITS.bodyDepth} levels; flatten it`;
  if (size > LIMITS.bodySize)
    return `the body has ${size} objects, arrays, members and items, but at most ${LIMITS.bodySize} are allowed; send less at once`;
  return null;
}

function decodeText(value: Uint8Array): string {
  try {
    return utf8.decode(value);
  } catch {
    throw new UndecodableRecord(
      'invalid_json',
      `The value (${value.byteLength} bytes) starts like a JSON object, but is not UTF-8. Publish JSON in UTF-8, or Avro with its framing.`,
    );
  }
}

function parse(text: string): Record<string, unknown> {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    // The parser's error quotes the text, so it is dropped.
    throw new UndecodableRecord(
      'invalid_json',
      `The value (${text.length} characters) starts like a JSON object, but is not valid JSON. Publish one JSON object per record, or Avro with its framing.`,
    );
  }
}
