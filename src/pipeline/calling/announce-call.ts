import { eventId } from '../../contract/event-id.ts';
import type { OutboundRecord } from '../../ports/kafka.ts';
import type { CallToMake } from './call-to-make.ts';
import type { CallerOptions } from './caller-options.ts';

/**
 * Publishes MessageSent, best effort: the call does not wait for Kafka. It is announced before there is a connection, and even if
 * connecting fails. If the event cannot be encoded, the call is made without it.
 */
export function announceCall(
  call: CallToMake,
  attempt: number,
  startedAt: number,
  options: CallerOptions,
): void {
  const { requestId, tenantId } = call.claim.identity;
  options.chunks.announce({ requestId, tenantId, attempt }, () =>
    messageSent(call, attempt, startedAt, options),
  );
}

function messageSent(
  { job, plan }: CallToMake,
  attempt: number,
  occurredAt: number,
  { output }: CallerOptions,
): OutboundRecord {
  const { record, request, orderKey } = job.accepted;
  const id = eventId(request.tenantId, request.requestId, 'MessageSent', attempt);
  const value = output.codec.encode('MessageSent', {
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
  return output.outputs.announced(event, { record, orderKey, trace: job.trace });
}
