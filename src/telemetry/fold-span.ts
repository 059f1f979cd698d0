import { type Span, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { attribute, SCOPE_NAME } from './names.ts';

const tracer = trace.getTracer(SCOPE_NAME);

/** One step of adding the cost topic to spend: a batch of its records. End it with `endFoldSpan`. */
export function startFoldSpan(topic: string): Span {
  return tracer.startSpan(`process ${topic}`, {
    kind: SpanKind.CONSUMER,
    attributes: {
      [attribute.messagingSystem]: 'kafka',
      [attribute.messagingOperationName]: 'process',
      [attribute.messagingOperationType]: 'process',
      [attribute.messagingDestination]: topic,
    },
  });
}

/** @param failure the error of the step; null if it succeeded or was refused */
export function endFoldSpan(span: Span, records: number, failure: unknown): void {
  span.setAttribute(attribute.messagingBatchCount, records);
  if (failure instanceof Error) span.setStatus({ code: SpanStatusCode.ERROR, message: failure.name });
  span.end();
}
