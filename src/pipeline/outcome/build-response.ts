import { eventId } from '../../contract/event-id.ts';
import type {
  ChatError,
  ChatResponse,
  CostCalculated,
  Problem,
  ResponseGenerated,
  ResponseStatus,
} from '../../contract/record-types.ts';
import type { ChatFailure, ErrorCode } from '../../domain/failures/chat-failure.ts';
import type { EchoedRequest } from '../intake/bare-request.ts';
import type { Answer } from './answer.ts';

/** Of an error's message: a hundred problems with their places fit, far below the size of a record. */
const MESSAGE_MAX_CHARACTERS = 32_768;

/** The one advice about ids: an id names one body and one outcome, so a request that is published again needs a new id. */
const NEW_ID = 'To try again, publish the request under a new requestId.';
/** Failures without a retry, or whose message already gives advice. */
const WITHOUT_ADVICE: ReadonlySet<ErrorCode> = new Set(['cancelled', 'poison']);

/** Everything that a response is made of. */
export interface ResponseParts {
  readonly request: EchoedRequest;
  /** The last call's answer; null if no call was made. */
  readonly answer: Answer | null;
  /** Why there is no complete answer; null if there is one. */
  readonly failure: ChatFailure | null;
  readonly requestedModel: string | null;
  readonly provider: string | null;
  readonly warnings: readonly Problem[];
  /** Provider calls made, by every claim. */
  readonly attempts: number;
  readonly cost: CostCalculated | null;
  /** Epoch ms. */
  readonly createdAt: number;
  readonly queuedMs: number;
  readonly totalMs: number;
  /** Set on the refusal of a record, to distinguish it from the answer to another record with the same id. */
  readonly refusedAt?: string;
}

export function responseStatus(failure: ChatFailure | null): ResponseStatus {
  if (failure === null) return 'COMPLETED';
  return failure.code === 'cancelled' ? 'CANCELLED' : 'FAILED';
}

export function buildResponse(parts: ResponseParts): ChatResponse {
  const { request, answer, failure, cost } = parts;
  const served = answer?.served;
  return {
    eventId: eventId(request.tenantId, request.requestId, 'ChatResponse', parts.refusedAt ?? ''),
    requestId: request.requestId,
    tenantId: request.tenantId,
    conversationId: request.conversationId,
    status: responseStatus(failure),
    provider: parts.provider,
    requestedModel: parts.requestedModel,
    model: served?.model ?? null,
    // Copies: what is cut from the response stays in the answer.
    choices: (answer?.choices ?? []).map((choice) => ({ ...choice })),
    usage: failure === null ? (answer?.usage ?? cost?.usage ?? null) : null,
    costStatus: cost?.costStatus ?? 'NONE',
    cost: cost?.totalCost ?? null,
    currency: cost?.currency ?? null,
    costEventId: cost?.eventId ?? null,
    error: failure === null ? null : chatError(failure),
    warnings: [...parts.warnings],
    attempts: parts.attempts,
    acceptedAttempt: failure === null ? (answer?.attempt ?? null) : null,
    chunkCount: failure === null ? (answer?.chunkCount ?? 0) : 0,
    replayed: false,
    timing: {
      queuedMs: parts.queuedMs,
      firstChunkMs: answer?.firstChunkMs == null ? null : Math.round(answer.firstChunkMs),
      totalMs: Math.round(parts.totalMs),
    },
    serviceTier: served?.serviceTier ?? null,
    systemFingerprint: served?.systemFingerprint ?? null,
    providerResponseId: served?.responseId ?? null,
    providerRequestId: served?.providerRequestId ?? failure?.providerRequestId ?? null,
    moderationJson: served?.moderationJson ?? null,
    extraJson: answer?.extraJson ?? null,
    omitted: [],
    labels: request.labels,
    createdAt: parts.createdAt,
  };
}

export function buildResponseGenerated(response: ChatResponse): ResponseGenerated {
  return {
    eventId: eventId(response.tenantId, response.requestId, 'ResponseGenerated', response.eventId),
    requestId: response.requestId,
    tenantId: response.tenantId,
    conversationId: response.conversationId,
    status: response.status,
    provider: response.provider,
    model: response.model,
    finishReasons: response.choices.flatMap(({ finishReason }) =>
      finishReason === null ? [] : [finishReason],
    ),
    usage: response.usage,
    totalMs: response.timing.totalMs,
    labels: response.labels,
    occurredAt: response.createdAt,
  };
}

function clipped(message: string): string {
  return message.length <= MESSAGE_MAX_CHARACTERS
    ? message
    : `${message.slice(0, MESSAGE_MAX_CHARACTERS - 1).toWellFormed()}…`;
}

function withAdvice({ code, message, retryable, callerReason }: ChatFailure): string {
  const text = clipped(callerReason === null ? message : `${message}: ${callerReason}`);
  if (WITHOUT_ADVICE.has(code) || (code === 'internal' && !retryable)) return text;
  return `${text}${/[.!?…]["”]?$/.test(text) ? '' : '.'} ${NEW_ID}`;
}

export function chatError(failure: ChatFailure): ChatError {
  return {
    code: failure.code,
    message: withAdvice(failure),
    retryable: failure.retryable,
    param: failure.param,
    providerCode: failure.providerCode,
    providerType: failure.providerType,
    httpStatus: failure.httpStatus,
    retryAfterMs: failure.retryAfterMs,
    providerMessage: failure.providerMessage,
  };
}
