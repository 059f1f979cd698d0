import { APIConnectionError, APIError } from 'openai';
import { ChatFailure, type ErrorCode } from '../../../domain/failures/chat-failure.ts';
import { failureOf, Internal, ProviderUnavailable } from '../../../domain/failures/failure-classes.ts';
import type { Adaptation } from '../../../domain/parameters/adaptation.ts';
import { isObject } from '../../../domain/text/is-object.ts';
import type { HeaderReader } from '../http/answer-headers.ts';
import { readRequestId } from '../http/metadata-text.ts';
import { answerTooLarge } from '../wire/answer-limits.ts';
import { MASK_WINDOW, maskSecrets } from '../wire/mask-secrets.ts';
import { plainCause } from '../wire/plain-cause.ts';
import { textOrNull } from '../wire/wire.ts';
import { classifyError, isRetryable, type ProviderError } from './classify-error.ts';
import { maskProviderWords } from './mask-provider-words.ts';
import { parseRateLimits } from './rate-limit-headers.ts';
import { parseRetryAfter } from './retry-after.ts';
import { saysLargerThanLimit } from './says-larger-than-limit.ts';

const MAX_NAME_CHARACTERS = 128;
/** Of the provider's own words: a list of wrong parameters fits. */
const MAX_WORDS_CHARACTERS = 4_096;
/** E.g. rate_limit_exceeded, InvalidParameter.Range, messages[0].content; with a masked key in it. */
const NAME = /^[\w.:/@$*[\]"'()…-]+$/;

/** What a message needs to be of use to the person who reads it. */
export interface ErrorContext {
  /** Configured name of the provider. */
  readonly provider: string;
  readonly model: string;
  /** Only to take it out of what the provider says. */
  readonly apiKey: string;
}

/** Where an error body came with: all null inside a stream. */
export interface ErrorEnvelope {
  readonly httpStatus: number | null;
  readonly headers: HeaderReader | null;
  readonly providerRequestId: string | null;
  /** What the server may take instead of the call. */
  readonly adaptation?: Adaptation | null;
}

/** Whose fault it is and what to do, by code. */
const ADVICE: Readonly<Partial<Record<ErrorCode, string>>> = {
  invalid_request:
    'The request asks for something that the provider does not accept; correct the named parameter.',
  invalid_credentials:
    'The provider does not accept the configured key, organization or project; correct AI_OPENAI_API_KEY, AI_OPENAI_ORGANIZATION or AI_OPENAI_PROJECT.',
  permission_denied:
    "The account may not do this (region, project or model access); change the account's permissions or use another model.",
  quota_exceeded:
    "The account's credit or spend limit is used up. Waiting does not help; raise the limit or add credit in the provider's billing settings.",
  rate_limited:
    'The request is valid, but the account sends too much at once; it can be tried again after a wait. If this keeps happening, raise the limit at the provider or lower MAX_IN_FLIGHT.',
  context_length_exceeded:
    'Messages, tools and the output limit together exceed the context of the model; shorten them, lower maxOutputTokens or use a model with a larger context.',
  content_filtered: "The provider's content policy refused the request; its contents have to change.",
  model_not_found:
    'Either the account has no access to this model, or the model or AI_OPENAI_BASE_URL is misspelled.',
  provider_unavailable: "The fault is the provider's or the network's; it can be tried again.",
  provider_error:
    "The fault is the provider's; if it lasts, give it the request id, or check that AI_OPENAI_BASE_URL speaks the Chat Completions API.",
  timeout: "The fault is the provider's; it can be tried again.",
};

/** In place of the advice for a rate limit, which is to wait. */
const LARGER_THAN_LIMIT =
  "The request alone is larger than the account's limit of tokens per minute, so waiting does not help; shorten it, lower maxOutputTokens or raise the limit at the provider.";

/**
 * Translates whatever a call threw before its answer began.
 *
 * @param now epoch milliseconds, for a retry-after that is a date
 */
export function mapError(error: unknown, context: ErrorContext, now: number): ChatFailure {
  if (error instanceof ChatFailure) return error;
  if (error instanceof APIError && error.status !== undefined) {
    const envelope = {
      httpStatus: error.status,
      headers: error.headers ?? null,
      providerRequestId: error.headers === undefined ? null : readRequestId(error.headers, context.apiKey),
    };
    return mapErrorBody(error.error, envelope, context, now);
  }
  // The SDK wraps whatever its transport throws.
  if (error instanceof Error && error.cause instanceof ChatFailure) return error.cause;
  if (error instanceof APIConnectionError) return mapConnectionError(error, context);
  return new Internal(
    `The call of ${context.provider} failed inside the service (${error instanceof Error ? error.name : typeof error}). This is a defect of the service, not of the request; report it with the cause in the log.`,
    false,
    { cause: plainCause(error, context.apiKey) },
  );
}

/**
 * Translates the provider's `error` member, from an HTTP error, a 200 or an event inside a stream. The provider's
 * words are in `providerMessage` and not in the message, which is logged. The result has no cause: the SDK's error would
 * carry the unmasked words into logs.
 */
export function mapErrorBody(
  body: unknown,
  envelope: ErrorEnvelope,
  context: ErrorContext,
  now: number,
): ChatFailure {
  const { httpStatus, headers } = envelope;
  const error = readError(body, httpStatus, context);
  const code = classifyError(error);
  const status = httpStatus === null ? 'in the middle of the answer' : `HTTP ${httpStatus}`;
  const named = [error.code ?? error.type, error.param === null ? null : `parameter ${error.param}`].filter(
    Boolean,
  );
  const detail = [status, ...named].join(', ');
  const isTooLarge = code === 'rate_limited' && saysLargerThanLimit(error.message);
  const advice = isTooLarge ? LARGER_THAN_LIMIT : (ADVICE[code] ?? '');
  return failureOf(
    code,
    `${context.provider} refused or failed the call of ${context.model} (${detail}). ${advice}`.trimEnd(),
    isRetryable(code, error, headers?.get('x-should-retry') ?? null),
    {
      param: error.param,
      providerCode: error.code,
      providerType: error.type,
      providerMessage: maskProviderWords(error.message, context.apiKey, MAX_WORDS_CHARACTERS) || null,
      providerRequestId: envelope.providerRequestId,
      httpStatus,
      retryAfterMs: headers === null ? null : parseRetryAfter(headers, now),
      rateLimits: headers === null ? null : parseRateLimits(headers),
      adaptation: envelope.adaptation ?? null,
    },
  );
}

function readError(value: unknown, httpStatus: number | null, context: ErrorContext): ProviderError {
  const members = isObject(value) ? value : { message: value };
  return {
    httpStatus,
    code: nameText(members['code'], context),
    type: nameText(members['type'], context),
    param: nameText(members['param'], context),
    // A part more than what is shown, so that whatever is at the cut is never shown.
    message: (textOrNull(members['message']) ?? '').slice(0, MASK_WINDOW + 1),
  };
}

/**
 * A code, a type or the path of a parameter. These are shown whatever the error is, so that whatever has spaces in it, and
 * may be a part of the request, counts as not reported.
 */
function nameText(value: unknown, context: ErrorContext): string | null {
  if (typeof value === 'number') return String(value);
  const text = textOrNull(value);
  const name = text === null ? '' : maskSecrets(text, context.apiKey, MAX_NAME_CHARACTERS);
  return NAME.test(name) ? name : null;
}

/** What sockets say when an open connection is lost; anything else is said before there is one. */
const CONNECTION_LOST: ReadonlySet<string> = new Set(['UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE']);
/** Name of undici's error for an answer that is no HTTP: the call was sent. */
const NOT_HTTP = 'HTTPParserError';
const HEADERS_TOO_LARGE = 'UND_ERR_HEADERS_OVERFLOW';

function mapConnectionError(error: APIConnectionError, context: ErrorContext): ChatFailure {
  const cause = plainCause(error, context.apiKey);
  const code = cause?.code ?? 'no code';
  if (code === HEADERS_TOO_LARGE) return answerTooLarge('headerBytes', context.provider, null);
  const isNotHttp = cause?.name === NOT_HTTP;
  const lost = isNotHttp || CONNECTION_LOST.has(code);
  const what = isNotHttp
    ? 'sent an answer that is not valid HTTP'
    : lost
      ? 'closed the connection before it answered'
      : 'could not be reached';
  return new ProviderUnavailable(
    `${context.provider} ${what} (${code}). The request is valid and can be tried again; if this lasts, check AI_OPENAI_BASE_URL, the network and the provider's status page.`,
    true,
    { cause },
  );
}
