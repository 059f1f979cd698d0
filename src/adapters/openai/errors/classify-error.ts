import type { ErrorCode } from '../../../domain/failures/chat-failure.ts';
import { saysContextIsFull } from './says-context-is-full.ts';
import { saysLargerThanLimit } from './says-larger-than-limit.ts';

/** A provider's error, its members brought to text. */
export interface ProviderError {
  /** Null inside a stream. */
  readonly httpStatus: number | null;
  readonly code: string | null;
  readonly type: string | null;
  readonly param: string | null;
  /** As the provider wrote it: not to be shown unmasked. */
  readonly message: string;
}

/** Codes and types that decide whatever the status. Source: https://developers.openai.com/api/docs/guides/error-codes */
const BY_NAME: Readonly<Record<string, ErrorCode>> = {
  insufficient_quota: 'quota_exceeded',
  credit_balance_exhausted: 'quota_exceeded',
  organization_spend_limit_exceeded: 'quota_exceeded',
  project_spend_limit_exceeded: 'quota_exceeded',
  organization_usage_limit_exceeded: 'quota_exceeded',
  billing_hard_limit_reached: 'quota_exceeded',
  billing_not_active: 'quota_exceeded',
  rate_limit_exceeded: 'rate_limited',
  slow_down: 'rate_limited',
  rate_limit_error: 'rate_limited',
  invalid_api_key: 'invalid_credentials',
  authentication_error: 'invalid_credentials',
  permission_error: 'permission_denied',
  unsupported_country_region_territory: 'permission_denied',
  model_not_found: 'model_not_found',
  context_length_exceeded: 'context_length_exceeded',
  context_window_exceeded: 'context_length_exceeded',
  tokens_limit_reached: 'context_length_exceeded',
  exceed_context_size_error: 'context_length_exceeded',
  content_filter: 'content_filtered',
  content_policy_violation: 'content_filtered',
  moderation_blocked: 'content_filtered',
  invalid_prompt: 'content_filtered',
  server_error: 'provider_error',
  service_unavailable_error: 'provider_unavailable',
  server_is_overloaded: 'provider_unavailable',
  overloaded_error: 'provider_unavailable',
};

const BY_STATUS: Readonly<Record<number, ErrorCode>> = {
  401: 'invalid_credentials',
  402: 'quota_exceeded',
  403: 'permission_denied',
  404: 'model_not_found',
  408: 'timeout',
  409: 'provider_error',
  429: 'rate_limited',
  502: 'provider_unavailable',
  503: 'provider_unavailable',
  504: 'provider_unavailable',
  529: 'provider_unavailable',
};

const RETRYABLE: ReadonlySet<ErrorCode> = new Set(['rate_limited', 'provider_unavailable', 'timeout']);

/** What the same call can never overcome, whatever a header says. */
const HOPELESS: ReadonlySet<ErrorCode> = new Set([
  'quota_exceeded',
  'invalid_credentials',
  'permission_denied',
  'context_length_exceeded',
  'content_filtered',
]);

/**
 * Chooses the code of the closed set: by code and type, then by status; without any of them it is the provider's
 * fault. A used-up quota wins over everything, since it comes with the status and sometimes the code of a rate limit.
 */
export function classifyError(error: ProviderError): ErrorCode {
  const byType = byName(error.type);
  const named = byType === 'quota_exceeded' ? byType : (byName(error.code) ?? byType);
  const code = named ?? byStatusOf(error);
  return mayBeFullContext(code) && saysContextIsFull(error.message) ? 'context_length_exceeded' : code;
}

/** What has a meaning of its own, as a limit or a policy has, is not looked at. */
function mayBeFullContext(code: ErrorCode): boolean {
  return code === 'invalid_request' || code === 'provider_error';
}

function byStatusOf(error: ProviderError): ErrorCode {
  const status = statusOf(error);
  if (status === null) return error.type === 'invalid_request_error' ? 'invalid_request' : 'provider_error';
  return BY_STATUS[status] ?? (status >= 400 && status < 500 ? 'invalid_request' : 'provider_error');
}

/** Gateways put the status into `code` where the answer has begun with a 200 already. */
function statusOf({ httpStatus, code }: ProviderError): number | null {
  if (httpStatus !== null && httpStatus >= 300) return httpStatus;
  return code !== null && /^[45]\d\d$/.test(code) ? Number(code) : null;
}

/** @param shouldRetry the provider's x-should-retry, believed where the same call could succeed at all */
export function isRetryable(
  code: ErrorCode,
  { httpStatus, message }: ProviderError,
  shouldRetry: string | null,
): boolean {
  if (HOPELESS.has(code) || shouldRetry === 'false') return false;
  if (code === 'rate_limited' && saysLargerThanLimit(message)) return false;
  if (RETRYABLE.has(code) || shouldRetry === 'true') return true;
  // A provider's error with a 3xx comes from a wrong base URL, which a retry does not change.
  return (
    code === 'provider_error' &&
    (httpStatus === null || httpStatus === 200 || httpStatus === 409 || httpStatus >= 500)
  );
}

function byName(name: string | null): ErrorCode | undefined {
  return name !== null && Object.hasOwn(BY_NAME, name) ? BY_NAME[name] : undefined;
}
