import type { Context, Span } from '@opentelemetry/api';
import type { InboundRecord, TopicPartition } from '../ports.ts';
import { extractContext, startProcessSpan, withSpan } from '../telemetry.ts';
import type { HandledRequest } from './conclude-request.ts';
import type { AcceptedRequest } from './decode-request.ts';
import type { FinishedRequest } from './lane-listener.ts';
import { heldBytes } from './record-bytes.ts';

/** A record from its acceptance until its outcome is visible. */
export interface RequestEntry {
  readonly id: string;
  readonly record: InboundRecord;
  readonly bytes: number;
  readonly stopping: AbortController;
  accepted: AcceptedRequest | null;
  handled: HandledRequest | null;
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

export function newEntry(record: InboundRecord): RequestEntry {
  return {
    id: entryId(record),
    record,
    bytes: heldBytes(record),
    stopping: new AbortController(),
    accepted: null,
    handled: null,
    finished: null,
    span: null,
    publishSpan: null,
  };
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
