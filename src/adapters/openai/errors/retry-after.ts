import type { HeaderReader } from '../http/answer-headers.ts';
import { parseDuration } from './rate-limit-headers.ts';

/** Nobody waits longer, and more milliseconds than these do not fit into every record. */
const MAX_WAIT_MS = 31 * 86_400_000;
/** A longer text is neither a number nor a date. */
const MAX_CHARACTERS = 64;

/**
 * How long the provider asks to wait, in milliseconds: `retry-after-ms`, else `retry-after` as seconds, as a duration
 * (`2m59.56s`, `1500ms`) or as an HTTP date. A date in the past is 0, and more than 31 days are 31 days. Whether the wish is plausible is for the caller to judge.
 *
 * @param now epoch milliseconds
 * @returns null when no readable time was reported
 */
export function parseRetryAfter(headers: HeaderReader, now: number): number | null {
  const inMilliseconds = short(headers.get('retry-after-ms'));
  const milliseconds =
    nonNegative(inMilliseconds) ?? parseDuration((inMilliseconds ?? '').trim().toLowerCase());
  if (milliseconds !== null) return atMost(Math.ceil(milliseconds));
  const text = short(headers.get('retry-after'));
  const seconds = nonNegative(text);
  if (seconds !== null) return atMost(Math.ceil(seconds * 1000));
  const duration = text === null ? null : parseDuration(text.trim().toLowerCase());
  if (duration !== null) return atMost(Math.ceil(duration));
  // A bare number is never a date, though Date.parse takes some for one.
  const date = text === null || /^\s*[-+.\d]+\s*$/.test(text) ? Number.NaN : Date.parse(text);
  return Number.isNaN(date) ? null : atMost(Math.max(0, date - now));
}

function short(text: string | null): string | null {
  return text === null || text.length > MAX_CHARACTERS ? null : text;
}

function atMost(delayMs: number): number {
  return Math.min(delayMs, MAX_WAIT_MS);
}

function nonNegative(text: string | null): number | null {
  if (text === null || text.trim() === '') return null;
  const value = Number(text);
  return Number.isFinite(value) && value >= 0 ? value : null;
}
