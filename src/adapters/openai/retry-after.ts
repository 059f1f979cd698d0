/**
 * How long the provider asks to wait, in milliseconds: `retry-after-ms`, else `retry-after` as seconds or as an
 * HTTP date. A date in the past is 0. Whether the wish is plausible is for the caller to judge.
 *
 * @param now epoch milliseconds
 * @returns null when nothing readable was told
 */
export function parseRetryAfter(headers: Headers, now: number): number | null {
  const milliseconds = nonNegative(headers.get('retry-after-ms'));
  if (milliseconds !== null) return Math.ceil(milliseconds);
  const text = headers.get('retry-after');
  const seconds = nonNegative(text);
  if (seconds !== null) return Math.ceil(seconds * 1000);
  // A bare number is never a date, though Date.parse takes some for one.
  const date = text === null || /^\s*[-+.\d]+\s*$/.test(text) ? Number.NaN : Date.parse(text);
  return Number.isNaN(date) ? null : Math.max(0, date - now);
}

function nonNegative(text: string | null): number | null {
  if (text === null || text.trim() === '') return null;
  const value = Number(text);
  return Number.isFinite(value) && value >= 0 ? value : null;
}
