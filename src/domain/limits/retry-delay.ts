/** The longest wait here. If a provider asks for more, the request has to be redelivered later instead. */
const LONGEST_DELAY_MS = 60_000;

/**
 * How long to wait before the next call: exponential backoff with full jitter, on top of the delay that the provider asked for.
 * The jitter spreads callers that got the same delay.
 *
 * @param failed how many calls have failed so far, at least 1
 * @param baseMs the first wait's upper bound
 * @param retryAfterMs the delay that the provider asked for; null if it asked for none
 * @param random 0 inclusive to 1 exclusive
 * @returns whole milliseconds; null if the provider asks for more than a minute
 * @see https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
 */
export function retryDelayMs(
  failed: number,
  baseMs: number,
  retryAfterMs: number | null,
  random: number,
): number | null {
  const wish = retryAfterMs ?? 0;
  if (wish > LONGEST_DELAY_MS) return null;
  const ceiling = Math.min(LONGEST_DELAY_MS, baseMs * 2 ** (failed - 1));
  return Math.min(LONGEST_DELAY_MS, Math.ceil(wish) + Math.floor(random * ceiling));
}
