import { hash } from 'node:crypto';
import type { Context } from '@opentelemetry/api';
import { decodeKey, type RecordCodec } from '../../contract/codec.ts';
import type { ChatRequest, Problem } from '../../contract/record-types.ts';
import { UndecodableRecord } from '../../contract/undecodable-record.ts';
import type { ChatFailure } from '../../domain/failures/chat-failure.ts';
import { LIMITS } from '../../domain/validate/limits.ts';
import type { InboundRecord } from '../../ports/kafka.ts';
import type { Seat } from '../admission/slots.ts';
import {
  type DecodedRequest,
  decodeJsonRequest,
  isJsonObject,
  type JsonOptions,
} from './decode-json-request.ts';
import type { RequestMemory } from './memory-budget.ts';
import { type ReplyAddress, type ReplyRules, readReplyAddress } from './reply-address.ts';

/** A request as it was accepted. */
export interface AcceptedRequest {
  readonly record: InboundRecord;
  readonly request: ChatRequest;
  /** Requests of one partition with the same key are handled in order. */
  readonly orderKey: string;
  /** Problems beyond the schema; empty if the request may be handled. */
  readonly problems: readonly Problem[];
  /** Where a copy of its response goes; null if nobody asked for one. */
  readonly reply: ReplyAddress | null;
}

/** A request in the pipeline. */
export interface RequestToHandle {
  readonly accepted: AcceptedRequest;
  /** When it was accepted: epoch ms, and by the monotonic clock. */
  readonly acceptedAt: number;
  readonly acceptedMonotonic: number;
  readonly trace: Context;
  readonly memory: RequestMemory;
  /** Its slot and its waits. */
  readonly seat: Seat;
  /** Fires with a `ChatFailure` if its caller cancels it. */
  readonly cancelled: AbortSignal;
  /** Set if the service has failed on it before: it ends with this failure, without a call. */
  readonly givenUp: ChatFailure | null;
}

export interface DecodeOptions extends JsonOptions {
  readonly codec: RecordCodec;
  /** The tenant that each request topic is bound to; null if any tenant may use it. */
  readonly tenantOfTopic: ReadonlyMap<string, string | null>;
  /** If absent, headers that ask for a reply are ignored. */
  readonly replies?: ReplyRules;
}

/** The tenant of requests that name none. */
const NO_TENANT = 'default';

/**
 * Reads a record of a request topic.
 *
 * @throws UndecodableRecord for a record that is not a request and belongs to the dead letters
 */
export function decodeRequest(record: InboundRecord, options: DecodeOptions): AcceptedRequest {
  const { unreadable } = record;
  if (unreadable !== undefined) throw new UndecodableRecord(unreadable.code, unreadable.message);
  const key = decodeKey(record.key, record.headers);
  const { request, problems } = isJsonObject(record.value)
    ? decodeJsonRequest(record, record.value, options)
    : decodeAvroRequest(record, options.codec);
  settleTenant(request, problems, record.topic, options.tenantOfTopic);
  const reply = options.replies === undefined ? null : readReplyAddress(record.headers, options.replies);
  problems.push(...(reply?.problems ?? []));
  return {
    record,
    request,
    orderKey: key ?? ownKey(request),
    problems,
    reply: reply?.address ?? null,
  };
}

/**
 * The requests of a topic belong to the topic's tenant. A tenant with its own topic is served only there. Otherwise anybody who may
 * write to a shared topic could send requests in its name, which would be billed to it and could replay its answers.
 */
function settleTenant(
  request: ChatRequest,
  problems: Problem[],
  topic: string,
  tenantOfTopic: DecodeOptions['tenantOfTopic'],
): void {
  const named = storedName(request.tenantId);
  const bound = tenantOfTopic.get(topic) ?? null;
  if (bound !== null) {
    if (named !== bound && named !== NO_TENANT) {
      problems.push({
        path: 'tenantId',
        code: 'wrong_tenant',
        message: `topic ${topic} belongs to tenant ${bound}; leave tenantId out, or publish to your own topic`,
      });
    }
    request.tenantId = bound;
    return;
  }
  request.tenantId = named;
  if (named === NO_TENANT || !isBound(named, tenantOfTopic)) return;
  problems.push({
    path: 'tenantId',
    code: 'wrong_tenant',
    message: `the tenant has its own request topics; publish there instead of ${topic}, or leave tenantId out`,
  });
  // The refusal must not look like one of the tenant's own requests.
  request.tenantId = NO_TENANT;
}

function isBound(tenantId: string, tenantOfTopic: DecodeOptions['tenantOfTopic']): boolean {
  for (const owner of tenantOfTopic.values()) if (owner === tenantId) return true;
  return false;
}

/** The name as the ledger and every output store it: names that are equal there are equal here. */
function storedName(tenantId: string): string {
  return tenantId.toWellFormed();
}

/** Also the key of outputs, so it must not be long. A longer name is refused, and the refusal has to fit into a record. */
function ownKey({ conversationId, requestId }: ChatRequest): string {
  const name = conversationId ?? requestId;
  return name.length <= LIMITS.nameCharacters ? name : hash('sha256', name, 'hex');
}

function decodeAvroRequest({ value, headers }: InboundRecord, codec: RecordCodec): DecodedRequest {
  const { record, unknownFields } = codec.decode('ChatRequest', value, headers);
  const problems: Problem[] = unknownFields.map((path) => ({
    path,
    code: 'unknown_field',
    message:
      'a newer writer set it and this version of the service does not know it; upgrade the service first, or leave it out',
  }));
  return { request: record, problems };
}

/** Converts any error of reading a record to an error that says why. */
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
