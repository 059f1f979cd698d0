import type { ChatRequest, Problem } from '../../contract/record-types.ts';
import type { BodyReader } from '../../contract/request-body.ts';
import { UndecodableRecord } from '../../contract/undecodable-record.ts';
import { type JsonShape, jsonShape } from '../../domain/validate/check-json.ts';
import { LIMITS } from '../../domain/validate/limits.ts';
import type { InboundRecord } from '../../ports/kafka.ts';
import { readHeaders } from './read-headers.ts';

/** A request as its record says it, with what could not be read of it. */
export interface DecodedRequest {
  readonly request: ChatRequest;
  readonly problems: Problem[];
}

export interface JsonOptions {
  /** For values that are a provider's own request body in JSON. */
  readonly readBody: BodyReader;
  /** Longer JSON values are refused unread; the codec has its own limit. */
  readonly jsonMaxBytes: number;
}

const BYTE_ORDER_MARK = [0xef, 0xbb, 0xbf] as const;
const SPACES: ReadonlySet<number | undefined> = new Set([0x20, 0x09, 0x0a, 0x0d]);
const OPENING_BRACE = 0x7b;

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** Whether a value begins as a JSON object does. None of the Avro framings begins with such bytes. */
export function isJsonObject(value: Uint8Array | null): value is Uint8Array {
  if (value === null) return false;
  let start = BYTE_ORDER_MARK.every((byte, index) => value[index] === byte) ? BYTE_ORDER_MARK.length : 0;
  while (SPACES.has(value[start])) start += 1;
  return value[start] === OPENING_BRACE;
}

/**
 * Reads a request that is a provider's own request body, with what is ours in the record's headers.
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
      `The value has ${value.byteLength} bytes, at most ${maxBytes} are taken (RECORD_MAX_BYTES). Send media by URL or file id, or raise the limit.`,
    );
  }
  const text = decodeText(value);
  const tooMuch = tooMuchOf(jsonShape(text));
  // What is nested or listed without end must not be walked through; its sender gets an answer all the same.
  const body = readBody(tooMuch === null ? parse(text) : {});
  const headers = readHeaders(record);
  const request = { ...body.fields, ...headers.fields };
  if (tooMuch === null) return { request, problems: [...headers.problems, ...body.problems] };
  return { request, problems: [...headers.problems, { path: '', code: 'wrong_type', message: tooMuch }] };
}

/** Null when it may be parsed. */
function tooMuchOf({ depth, size }: JsonShape): string | null {
  if (depth > LIMITS.bodyDepth)
    return `the body is nested deeper than ${LIMITS.bodyDepth} levels; flatten it`;
  if (size > LIMITS.bodySize)
    return `the body has ${size} objects, arrays, members and items, at most ${LIMITS.bodySize} are taken; send less at once`;
  return null;
}

function decodeText(value: Uint8Array): string {
  try {
    return utf8.decode(value);
  } catch {
    throw new UndecodableRecord(
      'invalid_json',
      `The value (${value.byteLength} bytes) begins as a JSON object does, but is not UTF-8. Publish JSON in UTF-8, or Avro with its framing.`,
    );
  }
}

function parse(text: string): Record<string, unknown> {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    // The parser's error quotes the text.
    throw new UndecodableRecord(
      'invalid_json',
      `The value (${text.length} characters) begins as a JSON object does, but is not valid JSON. Publish one JSON object per record, or Avro with its framing.`,
    );
  }
}
