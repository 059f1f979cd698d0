import type { RateLimits } from '../limits/rate-limits.ts';
import type { Adaptation } from '../parameters/adaptation.ts';

/** Every reason for which a request can end without a complete answer: the closed set of the contract. */
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

/** What a provider told about a failure, as far as it did. */
export interface FailureDetails {
  readonly param?: string | null;
  readonly providerCode?: string | null;
  readonly providerType?: string | null;
  /** The provider's own words, secrets masked: for the caller's response alone. */
  readonly providerMessage?: string | null;
  readonly providerRequestId?: string | null;
  readonly httpStatus?: number | null;
  readonly retryAfterMs?: number | null;
  readonly rateLimits?: RateLimits | null;
  readonly adaptation?: Adaptation | null;
  readonly outwaited?: boolean;
  readonly cause?: unknown;
}

/**
 * A failure with a code of the closed set; failure-classes.ts has a class for each code. Policy reads `code` and `retryable`,
 * never the message, and the message never contains a prompt, an answer or a secret. The provider's words are in
 * `providerMessage` alone, which belongs to the caller's response and to no log, span or metric.
 */
export class ChatFailure extends Error {
  readonly code: ErrorCode;
  /** Whether the same call can succeed when it is tried again. */
  readonly retryable: boolean;
  readonly param: string | null;
  readonly providerCode: string | null;
  readonly providerType: string | null;
  readonly providerRequestId: string | null;
  readonly httpStatus: number | null;
  /** The provider's wish, in milliseconds. */
  readonly retryAfterMs: number | null;
  /** What the provider told of its limits with the refusal. */
  readonly rateLimits: RateLimits | null;
  /** With this, the same request may be taken: it was refused for what the service sent by itself. */
  readonly adaptation: Adaptation | null;
  /** The call was sent and the service stopped waiting for its answer: the provider may work on it, and bills it. */
  readonly outwaited: boolean;
  readonly #providerMessage: string | null;

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
  }

  /** The provider's own words, which may repeat the request. Not an own property, so that no serializer logs it. */
  get providerMessage(): string | null {
    return this.#providerMessage;
  }
}
