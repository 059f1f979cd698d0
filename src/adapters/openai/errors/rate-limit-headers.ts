import type { RateLimit, RateLimits } from '../../../domain/limits/rate-limits.ts';
import type { HeaderReader } from '../http/answer-headers.ts';

const UNIT_MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const DURATION = /^(?:\d+(?:\.\d+)?(?:ms|s|m|h|d))+$/;
const PART = /(\d+(?:\.\d+)?)(ms|s|m|h|d)/g;

/**
 * Reads the `x-ratelimit-*` headers. A limit without a number, or with -1 or 0 (sent for "no limit"), counts as not
 * reported. Compatible servers write anything into these headers.
 *
 * @returns null when no limit was reported
 * @see https://platform.openai.com/docs/guides/rate-limits#rate-limits-in-headers
 */
export function parseRateLimits(headers: HeaderReader): RateLimits | null {
  const requests = parseRateLimit(headers, 'requests');
  const tokens = parseRateLimit(headers, 'tokens');
  return requests === null && tokens === null ? null : { requests, tokens };
}

function parseRateLimit(headers: HeaderReader, kind: 'requests' | 'tokens'): RateLimit | null {
  const limit = wholeNumber(headers.get(`x-ratelimit-limit-${kind}`));
  const remaining = wholeNumber(headers.get(`x-ratelimit-remaining-${kind}`));
  if (limit === null || remaining === null || limit < 1) return null;
  const resetMs = parseDuration(headers.get(`x-ratelimit-reset-${kind}`) ?? '');
  return { limit, remaining: Math.min(limit, remaining), resetMs };
}

function wholeNumber(text: string | null): number | null {
  return text !== null && /^\d{1,15}$/.test(text) ? Number(text) : null;
}

/** Longer texts are not durations, and no limit takes longer to refill. */
const MAX_CHARACTERS = 64;
const MAX_DURATION_MS = 31 * UNIT_MS.d;

/** `6m0s`, `17ms`, `1m30.5s`, or bare seconds, in milliseconds, at most 31 days; null for any other text. */
export function parseDuration(text: string): number | null {
  if (text.length > MAX_CHARACTERS) return null;
  if (/^\d+(\.\d+)?$/.test(text)) return Math.min(Number(text) * 1000, MAX_DURATION_MS);
  if (!DURATION.test(text)) return null;
  let sum = 0;
  for (const [, amount, unit] of text.matchAll(PART))
    sum += Number(amount) * UNIT_MS[unit as keyof typeof UNIT_MS];
  return Math.min(sum, MAX_DURATION_MS);
}
