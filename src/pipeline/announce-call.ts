import type { RecordCodec } from '../contract/codec.ts';
import { eventId } from '../contract/event-id.ts';
import type { OutboundRecord } from '../ports.ts';
import type { ChunkPublisher } from './chunk-publisher.ts';
import type { CallToMake } from './make-call.ts';
import type { OutputRecords } from './output-records.ts';

/** Publishes MessageSent for each call. */
export class CallAnnouncer {
  private readonly chunks: Pick<ChunkPublisher, 'announce'>;
  private readonly outputs: OutputRecords;
  private readonly codec: RecordCodec;

  constructor(chunks: Pick<ChunkPublisher, 'announce'>, outputs: OutputRecords, codec: RecordCodec) {
    this.chunks = chunks;
    this.outputs = outputs;
    this.codec = codec;
  }

  /**
   * Best effort, and not waited for: the call does not wait for Kafka. It is announced before there is a connection, and also
   * when there turns out to be none; an event that cannot be encoded does not keep its call from being made.
   */
  announce(call: CallToMake, attempt: number, startedAt: number): void {
    const { requestId, tenantId } = call.job.accepted.request;
    this.chunks.announce({ requestId, tenantId, attempt }, () => this.messageSent(call, attempt, startedAt));
  }

  private messageSent({ job, plan }: CallToMake, attempt: number, occurredAt: number): OutboundRecord {
    const { record, request, orderKey } = job.accepted;
    const id = eventId(request.tenantId, request.requestId, 'MessageSent', attempt);
    const value = this.codec.encode('MessageSent', {
      eventId: id,
      requestId: request.requestId,
      tenantId: request.tenantId,
      conversationId: request.conversationId,
      attempt,
      provider: plan.provider.name,
      model: plan.model.id,
      requestedModel: plan.requestedModel,
      messageCount: request.messages.length,
      estimatedInputTokens: plan.estimatedInputTokens,
      estimatedCost: plan.estimatedCost?.amount ?? null,
      currency: plan.estimatedCost?.currency ?? null,
      stream: request.stream,
      labels: request.labels,
      occurredAt,
    });
    const event = { name: 'MessageSent', eventId: id, at: occurredAt, value } as const;
    return this.outputs.announced(event, { record, orderKey, trace: job.trace });
  }
}
