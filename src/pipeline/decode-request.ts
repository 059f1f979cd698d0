import type { Context } from '@opentelemetry/api';
import { decodeKey, type RecordCodec } from '../contract/codec.ts';
import type { ChatRequest, Problem } from '../contract/records.ts';
import { UndecodableRecord } from '../contract/undecodable-record.ts';
import type { ChatFailure } from '../domain/chat-failure.ts';
import type { InboundRecord } from '../ports.ts';
import {
  type DecodedRequest,
  decodeJsonRequest,
  isJsonObject,
  type JsonOptions,
} from './decode-json-request.ts';

/** A request as it was accepted. */
export interface AcceptedRequest {
  readonly record: InboundRecord;
  readonly request: ChatRequest;
  /** Requests with one of these in one partition are handled in order. */
  readonly orderKey: string;
  /** What is wrong with it beyond its schema: empty when it may be handled. */
  readonly problems: readonly Problem[];
}

/** One request on its way. */
export interface RequestToHandle {
  readonly accepted: AcceptedRequest;
  /** When it was accepted: epoch ms, and by the monotonic clock. */
  readonly acceptedAt: number;
  readonly acceptedMonotonic: number;
  readonly trace: Context;
  /** Set when the service has failed on it before: it ends with this then, without a call. */
  readonly givenUp: ChatFailure | null;
}

export interface DecodeOptions extends JsonOptions {
  readonly codec: RecordCodec;
  /** The tenant that each request topic is bound to; null where any may be named. */
  readonly tenantOfTopic: ReadonlyMap<string, string | null>;
}

/**
 * Reads a record of a request topic.
 *
 * @throws UndecodableRecord for what is not a request and belongs to the dead letters
 */
export function decodeRequest(record: InboundRecord, options: DecodeOptions): AcceptedRequest {
  const { unreadable } = record;
  if (unreadable !== undefined) throw new UndecodableRecord(unreadable.code, unreadable.message);
  const key = decodeKey(record.key, record.headers);
  const { request, problems } = isJsonObject(record.value)
    ? decodeJsonRequest(record, record.value, options)
    : decodeAvroRequest(record, options.codec);
  const bound = options.tenantOfTopic.get(record.topic) ?? null;
  if (bound !== null) {
    if (request.tenantId !== bound && request.tenantId !== 'default') {
      problems.push({
        path: 'tenantId',
        code: 'wrong_tenant',
        message: `topic ${record.topic} belongs to tenant ${bound}; leave tenantId out, or publish to your own topic`,
      });
    }
    request.tenantId = bound;
  }
  return {
    record,
    request,
    orderKey: key ?? request.conversationId ?? request.requestId,
    problems,
  };
}

function decodeAvroRequest({ value, headers }: InboundRecord, codec: RecordCodec): DecodedRequest {
  const { record, unknownFields } = codec.decode('ChatRequest', value, headers);
  const problems: Problem[] = unknownFields.map((path) => ({
    path,
    code: 'unknown_field',
    message: 'it was set by a newer writer and is not known here; upgrade the service first, or leave it out',
  }));
  return { request: record, problems };
}

/** Whatever reading a record can throw, as an error that says why. */
export function asUndecodable(error: unknown): UndecodableRecord {
  if (error instanceof UndecodableRecord) return error;
  return new UndecodableRecord(
    'wrong_value',
    'The record could not be read; its writer does not follow the schema',
    {
      cause: error,
    },
  );
}
