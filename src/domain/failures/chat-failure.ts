import type { RateLimits } from '../limits/rate-limits.ts';
import type { Adaptation } from '../parameters/adaptation.ts';

/** Every reason for which a request can end without a complete answer. The contract closes this set. */
export const errorCodes = [
  'invalid_request',
  'invalid_credentials',
  'permission_denied',
  'quota_exceeded',
  'rate_limited',
  'context_length_exceeded',
  'content_filtered',
  'model_not_found',
  'provider_unavailable',
  'provider_error',
  'stream_interrupted',
  'timeout',
  'deadline_exceeded',
  'budget_exceeded',
  'cancelled',
  'poison',
  'internal',
] as const;

export type ErrorCode = (typeof errorCodes)[number];

/** What a provider reported about a failure. Members that it left out are absent. */
export interface FailureDetails {
  readonly param?: string | null;
  readonly providerCode?: string | null;
  readonly providerType?: string | null;
  /** The provider's own words, with secrets masked. They may reach only the caller's response. */
  readonly providerMessage?: string | null;
  readonly providerRequestId?: string | null;
  readonly httpStatus?: number | null;
  readonly retryAfterMs?: number | null;
  readonly rateLimits?: RateLimits | null;
  readonly adaptation?: Adaptation | null;
  readonly outwaited?: boolean;
  /** Why a caller cancelled, in the caller's words: for the caller's response alone. */
  readonly callerReason?: string | null;
  readonly cause?: unknown;
}

/**
 * A failure with a code of the closed set; failure-classes.ts has a class for each code. Policy reads `code` and `retryable`,
 * never the message. The message never contains a prompt, an answer or a secret. The provider's words are only in
 * `providerMessage`. They may reach the caller's response, but no log, span or metric.
 */
export class ChatFailure extends Error {
  readonly code: ErrorCode;
  /** Whether the same call can succeed on a retry. */
  readonly retryable: boolean;
  readonly param: string | null;
  readonly providerCode: string | null;
  readonly providerType: string | null;
  readonly providerRequestId: string | null;
  readonly httpStatus: number | null;
  /** The delay that the provider asked for, in milliseconds. */
  readonly retryAfterMs: number | null;
  /** The rate limits that the provider reported with the refusal. */
  readonly rateLimits: RateLimits | null;
  /** The provider refused a parameter that the service itself added. With this adaptation it may accept the request. */
  readonly adaptation: Adaptation | null;
  /** The call was sent, and the service stopped waiting for its answer. The provider may still work on it and bill it. */
  readonly outwaited: boolean;
  readonly #providerMessage: string | null;
  readonly #callerReason: string | null;

  constructor(code: ErrorCode, message: string, retryable: boolean, details: FailureDetails = {}) {
    super(message, { cause: details.cause });
    this.name = new.target.name;
    this.code = code;
    this.retryable = retryable;
    this.param = details.param ?? null;
    this.providerCode = details.providerCode ?? null;
    this.providerType = details.providerType ?? null;
    this.providerRequestId = details.providerRequestId ?? null;
    this.httpStatus = details.httpStatus ?? null;
    this.retryAfterMs = details.retryAfterMs ?? null;
    this.rateLimits = details.rateLimits ?? null;
    this.adaptation = details.adaptation ?? null;
    this.outwaited = details.outwaited ?? false;
    this.#providerMessage = details.providerMessage ?? null;
    this.#callerReason = details.callerReason ?? null;
  }

  /** The provider's own words, which may repeat the request. An accessor of the prototype, so that no serializer logs it. */
  get providerMessage(): string | null {
    return this.#providerMessage;
  }

  /** Why the caller cancelled. Not an own property either. */
  get callerReason(): string | null {
    return this.#callerReason;
  }
}
