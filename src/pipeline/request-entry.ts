import type { Context, Span } from '@opentelemetry/api';
import type { InboundRecord, TopicPartition } from '../ports/kafka.ts';
import type { RequestIdentity } from '../ports/ledger.ts';
import {
  extractContext,
  recordFailure,
  startProcessSpan,
  startPublishSpan,
  withSpan,
} from '../telemetry/spans.ts';
import type { Task } from './admission/slots.ts';
import type { Cancellations } from './intake/cancellations.ts';
import type { AcceptedRequest } from './intake/decode-request.ts';
import { type MemoryBudget, type RequestMemory, requestWeight } from './intake/memory-budget.ts';
import { heldBytes, recordBytes } from './intake/record-bytes.ts';
import { structureBytes } from './intake/structure-bytes.ts';
import { withoutContent } from './intake/without-content.ts';
import type { FinishedRequest } from './lanes/lane-listener.ts';
import type { HandledRequest } from './outcome/handled-request.ts';
import { isTooLarge, type OutcomeForms, type OutputSizes } from './outcome/outcome-forms.ts';
import type { ReplyRequest } from './outcome/reply-record.ts';

/**
 * A record from its acceptance until its outcome is visible.
 *
 *   accepted ──decoded()──► queued ──begin()──► running ──ended()──► offer() ──► finished ──close()──► forgotten
 *      │                                                               ▲  │ └── the broker refuses it: the next form
 *      └────────────────────── it is not a request ────────────────────┘  └──► exhausted: every form was refused
 *
 * close() from any state: the outcome is visible, or the record belongs to another worker.
 */
export class RequestEntry {
  readonly lane: string;
  readonly memory: RequestMemory;
  /** By the monotonic clock. */
  readonly acceptedAt: number;
  /* What follows is changed by the methods below alone. */
  /** Without its content once the outcome exists. */
  record: InboundRecord;
  /** What the intake limit counts. It grows when the record is decoded. */
  bytes: number;
  /** Null if the record is not a request, and once the outcome exists. */
  accepted: AcceptedRequest | null = null;
  finished: FinishedRequest | null = null;
  /** Set if the ledger has the request's outcome. */
  inLedger: RequestIdentity | null = null;
  /** Set if the request asks for a copy of its response, once it has ended. */
  reply: ReplyRequest | null = null;
  private readonly stopping = new AbortController();
  private readonly cancelling = new AbortController();
  private stopWatching: (() => void) | null = null;
  private span: Span | null = null;
  private publishSpan: Span | null = null;

  constructor(record: InboundRecord, memory: MemoryBudget, acceptedAt: number) {
    this.lane = laneKey(record);
    this.record = record;
    this.bytes = requestWeight(heldBytes(record));
    this.memory = memory.open(this.bytes);
    this.acceptedAt = acceptedAt;
  }

  get hasBegun(): boolean {
    return this.span !== null;
  }

  /** Fires with a `ChatFailure` when its caller cancels it. */
  get cancelled(): AbortSignal {
    return this.cancelling.signal;
  }

  /** Fires when its handling must end without an outcome. */
  get signal(): AbortSignal {
    return this.stopping.signal;
  }

  /** @returns the bytes that decoding adds to its record's */
  decoded(accepted: AcceptedRequest, cancellations: Cancellations): number {
    const { request } = accepted;
    this.stopWatching = cancellations.watch(request, (failure) => this.cancelling.abort(failure));
    const bytes = structureBytes(request);
    this.accepted = accepted;
    this.bytes += bytes;
    this.memory.belongsTo(request.tenantId);
    this.memory.addDecoded(bytes);
    return bytes;
  }

  /** What it is scheduled by. @param now epoch ms */
  taskOf({ orderKey, request }: AcceptedRequest, now: number): Omit<Task, 'run'> {
    const { tenantId: owner, deadline } = request;
    const lateAfterMs = deadline === null ? null : deadline + 1 - now;
    return { key: `${this.lane}/${orderKey}`, owner, lateAfterMs, cancelled: this.cancelled };
  }

  /** @returns the trace to work in */
  begin(accepted: AcceptedRequest, groupId: string): Context {
    const { span, trace } = startTrace(accepted, groupId);
    this.span = span;
    return trace;
  }

  stop(reason: Error): void {
    this.stopping.abort(reason);
  }

  /** Its handling has ended. Its outcome is offered next. */
  ended(
    { status, code, inLedger, records }: HandledRequest,
    identity: RequestIdentity,
    topic: string,
    trace: Context,
  ) {
    if (inLedger) this.inLedger = identity;
    const address = this.accepted?.reply ?? null;
    if (address !== null) this.reply = { address, ...identity };
    if (code !== null && this.span !== null)
      recordFailure(this.span, { code, message: `ended as ${status}` });
    this.publishSpan = startPublishSpan(trace, { topic, count: records.length });
  }

  /**
   * Offers the first form of the outcome that can be written to its lane. Each refusal of the broker offers the next form. After
   * the last one nothing is offered until the caller offers more.
   *
   * @param finishedAt by the monotonic clock
   */
  offer(
    [records, ...smaller]: OutcomeForms,
    sizes: OutputSizes,
    finishedAt: number,
    onExhausted: () => void,
  ): void {
    const refused = () => {
      const [next, ...rest] = smaller;
      if (next !== undefined) this.offer([next(), ...rest], sizes, finishedAt, onExhausted);
      else {
        this.finished = null;
        onExhausted();
      }
    };
    const bytes = records.map(recordBytes);
    if (smaller.length > 0 && isTooLarge(records, bytes, sizes)) {
      refused();
      return;
    }
    this.finished = { offset: this.record.offset, records, recordBytes: bytes, finishedAt, refused };
    // From here on only the outcome's records are held.
    this.record = withoutContent(this.record);
    this.accepted = null;
    this.memory.finish(bytes.reduce((sum, one) => sum + one, 0));
  }

  close(): void {
    this.stopWatching?.();
    this.memory.close();
    this.publishSpan?.end();
    this.span?.end();
  }
}

export function laneKey({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`;
}

export function entryId({ topic, partition, offset }: TopicPartition & { readonly offset: number }): string {
  return `${topic}/${partition}/${offset}`;
}

/** Starts the span of a request's handling, in its producer's trace. */
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
