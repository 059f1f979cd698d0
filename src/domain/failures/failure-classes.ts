import { ChatFailure, type ErrorCode, type FailureDetails } from './chat-failure.ts';

type FailureClass = new (message: string, retryable: boolean, details?: FailureDetails) => ChatFailure;

/** The base of a class for one code: a `ChatFailure` that cannot have another code. */
function failureWith(code: ErrorCode): FailureClass {
  return class extends ChatFailure {
    constructor(message: string, retryable: boolean, details?: FailureDetails) {
      super(code, message, retryable, details);
    }
  };
}

/* One class for each code of the closed set, so that code around a driver can say `instanceof RateLimited`. */

export class InvalidRequest extends failureWith('invalid_request') {}
export class InvalidCredentials extends failureWith('invalid_credentials') {}
export class PermissionDenied extends failureWith('permission_denied') {}
export class QuotaExceeded extends failureWith('quota_exceeded') {}
/** `retryAfterMs` is the delay that the provider asked for. */
export class RateLimited extends failureWith('rate_limited') {}
export class ContextLengthExceeded extends failureWith('context_length_exceeded') {}
export class ContentFiltered extends failureWith('content_filtered') {}
export class ModelNotFound extends failureWith('model_not_found') {}
export class ProviderUnavailable extends failureWith('provider_unavailable') {}
export class ProviderError extends failureWith('provider_error') {}
export class StreamInterrupted extends failureWith('stream_interrupted') {}
export class Timeout extends failureWith('timeout') {}
export class DeadlineExceeded extends failureWith('deadline_exceeded') {}
export class BudgetExceeded extends failureWith('budget_exceeded') {}
export class Cancelled extends failureWith('cancelled') {}
export class Poison extends failureWith('poison') {}
export class Internal extends failureWith('internal') {}

export const failureClasses: Readonly<Record<ErrorCode, FailureClass>> = {
  invalid_request: InvalidRequest,
  invalid_credentials: InvalidCredentials,
  permission_denied: PermissionDenied,
  quota_exceeded: QuotaExceeded,
  rate_limited: RateLimited,
  context_length_exceeded: ContextLengthExceeded,
  content_filtered: ContentFiltered,
  model_not_found: ModelNotFound,
  provider_unavailable: ProviderUnavailable,
  provider_error: ProviderError,
  stream_interrupted: StreamInterrupted,
  timeout: Timeout,
  deadline_exceeded: DeadlineExceeded,
  budget_exceeded: BudgetExceeded,
  cancelled: Cancelled,
  poison: Poison,
  internal: Internal,
};

/** A failure of the class that belongs to its code. @param retryable whether the same call can succeed later */
export function failureOf(
  code: ErrorCode,
  message: string,
  retryable: boolean,
  details?: FailureDetails,
): ChatFailure {
  return new failureClasses[code](message, retryable, details);
}
