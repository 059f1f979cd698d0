import {
  type Context,
  context,
  type Link,
  propagation,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  type TextMapGetter,
  type TextMapSetter,
  trace,
} from '@opentelemetry/api';
import type { HeaderValue, RecordHeaders } from '../ports/kafka.ts';
import { attribute, present, SCOPE_NAME } from './names.ts';

/** The known facts about a record when its processing begins. */
export interface ProcessSpanInfo {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly key?: string | null;
  readonly groupId: string;
  readonly tenantId: string;
  readonly requestId: string;
  readonly conversationId?: string | null;
}

/** The known facts about a provider call before it is made. */
export interface ChatSpanInfo {
  /** As the conventions name it, e.g. `openai`. */
  readonly provider: string;
  readonly requestModel: string;
  /** From 1. */
  readonly attempt: number;
  readonly maxOutputTokens?: number | null;
  readonly temperature?: number | null;
  readonly conversationId?: string | null;
  readonly serverAddress?: string | null;
  readonly serverPort?: number | null;
}

/** Tokens as far as they are known; the contract's `Usage` fits. */
export interface TokenCounts {
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly cachedInputTokens?: number | null;
  readonly cacheWriteTokens?: number | null;
  readonly reasoningTokens?: number | null;
}

export interface SpanFailure {
  readonly code: string;
  /** Contains no prompts, answers or secrets, like all messages of `ChatFailure`. */
  readonly message: string;
}

/** How a provider call ended. Unknown facts are null or left out. */
export interface ChatSpanOutcome {
  readonly disposition: string;
  readonly responseModel?: string | null;
  readonly responseId?: string | null;
  readonly finishReasons?: readonly string[];
  readonly serviceTier?: string | null;
  readonly systemFingerprint?: string | null;
  readonly providerRequestId?: string | null;
  /** Milliseconds from the call to its first piece. */
  readonly timeToFirstChunkMs?: number | null;
  readonly usage?: TokenCounts | null;
  readonly failure?: SpanFailure | null;
}

const tracer = trace.getTracer(SCOPE_NAME);

/** The trace context that a record's headers carry (W3C by default), else an empty one. Never throws. */
export function extractContext(headers: RecordHeaders): Context {
  return propagation.extract(ROOT_CONTEXT, headers, headerGetter);
}

/** Writes `active`'s trace context into a record's headers, as text. Writes nothing if there is no trace context. */
export function injectContext(active: Context, headers: RecordHeaders): void {
  propagation.inject(active, headers, headerSetter);
}

/** `parent` with `span` as the active one: the context for child spans and for injection. */
export function withSpan(parent: Context, span: Span): Context {
  return trace.setSpan(parent, span);
}

/** Runs `work` with `active` as the current context, so that log lines made inside carry its trace ids. */
export function runInContext<Result>(active: Context, work: () => Result): Result {
  return context.with(active, work);
}

/** The whole handling of one record. The caller ends it when the outcome is visible. */
export function startProcessSpan(parent: Context, info: ProcessSpanInfo): Span {
  const attributes = present({
    [attribute.messagingSystem]: 'kafka',
    [attribute.messagingOperationName]: 'process',
    [attribute.messagingOperationType]: 'process',
    [attribute.messagingDestination]: info.topic,
    [attribute.messagingPartition]: String(info.partition),
    [attribute.messagingConsumerGroup]: info.groupId,
    [attribute.messagingMessageId]: info.requestId,
    [attribute.kafkaOffset]: info.offset,
    [attribute.kafkaMessageKey]: info.key,
    [attribute.genAiConversation]: info.conversationId,
    [attribute.tenantId]: info.tenantId,
    [attribute.requestId]: info.requestId,
  });
  return tracer.startSpan(`process ${info.topic}`, { kind: SpanKind.CONSUMER, attributes }, parent);
}

/** One provider call; a retry is a span of its own. End it with `endChatSpan`. */
export function startChatSpan(parent: Context, info: ChatSpanInfo): Span {
  const attributes = present({
    [attribute.genAiOperation]: 'chat',
    [attribute.genAiProvider]: info.provider,
    [attribute.genAiRequestModel]: info.requestModel,
    [attribute.genAiRequestStream]: true,
    [attribute.genAiRequestMaxTokens]: info.maxOutputTokens,
    [attribute.genAiRequestTemperature]: info.temperature,
    [attribute.genAiConversation]: info.conversationId,
    [attribute.serverAddress]: info.serverAddress,
    [attribute.serverPort]: info.serverPort,
    [attribute.attempt]: info.attempt,
  });
  return tracer.startSpan(`chat ${info.requestModel}`, { kind: SpanKind.CLIENT, attributes }, parent);
}

/** Adds the call's results and ends its span. */
export function endChatSpan(span: Span, outcome: ChatSpanOutcome): void {
  const { usage, failure, timeToFirstChunkMs } = outcome;
  span.setAttributes(
    present({
      [attribute.disposition]: outcome.disposition,
      [attribute.genAiResponseModel]: outcome.responseModel,
      [attribute.genAiResponseId]: outcome.responseId,
      [attribute.genAiFinishReasons]: outcome.finishReasons?.length ? [...outcome.finishReasons] : null,
      [attribute.openAiServiceTier]: outcome.serviceTier,
      [attribute.openAiSystemFingerprint]: outcome.systemFingerprint,
      [attribute.providerRequestId]: outcome.providerRequestId,
      [attribute.genAiTimeToFirstChunk]: timeToFirstChunkMs == null ? null : timeToFirstChunkMs / 1000,
      [attribute.genAiInputTokens]: usage?.inputTokens,
      [attribute.genAiOutputTokens]: usage?.outputTokens,
      [attribute.genAiCacheReadTokens]: usage?.cachedInputTokens,
      [attribute.genAiCacheWriteTokens]: usage?.cacheWriteTokens,
      [attribute.genAiReasoningTokens]: usage?.reasoningTokens,
    }),
  );
  if (failure) recordFailure(span, failure);
  span.end();
}

/** The writing of `count` records of one request to `topic`. `links` are spans that it also belongs to. */
export function startPublishSpan(
  parent: Context,
  info: { readonly topic: string; readonly count: number },
  links: readonly Link[] = [],
): Span {
  const attributes = {
    [attribute.messagingSystem]: 'kafka',
    [attribute.messagingOperationName]: 'send',
    [attribute.messagingOperationType]: 'send',
    [attribute.messagingDestination]: info.topic,
    [attribute.messagingBatchCount]: info.count,
  };
  const options = { kind: SpanKind.PRODUCER, attributes, links: [...links] };
  return tracer.startSpan(`send ${info.topic}`, options, parent);
}

/** Marks a span as failed: its error type is the contract's error code. */
export function recordFailure(span: Span, failure: SpanFailure): void {
  span.setAttribute(attribute.errorType, failure.code);
  span.setStatus({ code: SpanStatusCode.ERROR, message: failure.message });
}

const headerGetter: TextMapGetter<RecordHeaders> = {
  keys: (headers) => Object.keys(headers),
  get: (headers, name) => headerText(headers[name]),
};

const headerSetter: TextMapSetter<RecordHeaders> = {
  set: (headers, name, value) => {
    headers[name] = value;
  },
};

/** A header may be repeated; for trace context the first one counts. */
function headerText(value: HeaderValue): string | undefined {
  const first = Array.isArray(value) ? value[0] : value;
  return first instanceof Uint8Array ? Buffer.from(first).toString('utf8') : (first ?? undefined);
}
