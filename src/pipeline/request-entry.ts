import type { Context, Span } from '@opentelemetry/api';
import type { ChatRequest } from '../contract/records.ts';
import type { InboundRecord, RequestIdentity, TopicPartition } from '../ports.ts';
import { extractContext, startProcessSpan, withSpan } from '../telemetry.ts';
import type { AcceptedRequest } from './decode-request.ts';
import type { FinishedRequest } from './lane-listener.ts';
import { type MemoryBudget, type RequestMemory, requestWeight } from './memory-budget.ts';
import { heldBytes } from './record-bytes.ts';
import { structureBytes } from './structure-bytes.ts';

/** A record from its acceptance until its outcome is visible. */
export interface RequestEntry {
  readonly lane: string;
  /** Without its content once the outcome is there. */
  record: InboundRecord;
  /** What the intake's limit counts: grows once the record is decoded. */
  bytes: number;
  readonly memory: RequestMemory;
  /** By the monotonic clock. */
  readonly acceptedAt: number;
  readonly stopping: AbortController;
  /** Null for what is no request, and once the outcome is there. */
  accepted: AcceptedRequest | null;
  /** Of a request whose outcome the ledger has. */
  inLedger: RequestIdentity | null;
  finished: FinishedRequest | null;
  span: Span | null;
  publishSpan: Span | null;
}

export function laneKey({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`;
}

export function entryId({ topic, partition, offset }: TopicPartition & { readonly offset: number }): string {
  return `${topic}/${partition}/${offset}`;
}

export function newEntry(record: InboundRecord, memory: MemoryBudget, acceptedAt: number): RequestEntry {
  const bytes = requestWeight(heldBytes(record));
  return {
    lane: laneKey(record),
    record,
    bytes,
    memory: memory.open(bytes),
    acceptedAt,
    stopping: new AbortController(),
    accepted: null,
    inLedger: null,
    finished: null,
    span: null,
    publishSpan: null,
  };
}

/** Counts what decoding made of a request. @returns the bytes that it adds to its record's */
export function countDecoded(entry: RequestEntry, request: ChatRequest): number {
  const bytes = structureBytes(request);
  entry.bytes += bytes;
  entry.memory.belongsTo(request.tenantId);
  entry.memory.addDecoded(bytes);
  return bytes;
}

/** A record's place and key, for what is kept longer than its content. */
export function withoutContent(record: InboundRecord): InboundRecord {
  return { ...record, value: null, headers: {} };
}

/** Begins the span of a request's handling, in the trace that its producer began. */
export function startTrace(accepted: AcceptedRequest, groupId: string): { span: Span; trace: Context } {
  const { record, request, orderKey } = accepted;
  const parent = extractContext(record.headers);
  const span = startProcessSpan(parent, {
    ...record,
    key: orderKey,
    groupId,
    tenantId: request.tenantId,
    requestId: request.requestId,
    conversationId: request.conversationId,
  });
  return { span, trace: withSpan(parent, span) };
}
