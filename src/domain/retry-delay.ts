/** No single wait is longer, whatever a provider asks for: a longer one is decided by the deadline, not by sleeping. */
const LONGEST_DELAY_MS = 60_000;

/**
 * How long to wait before the next call: exponential backoff with full jitter, never less than the provider asked for.
 *
 * @param failed how many calls have failed so far, at least 1
 * @param baseMs the first wait's upper bound
 * @param retryAfterMs the provider's wish; null when it has none
 * @param random 0 inclusive to 1 exclusive
 * @see https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
 */
export function retryDelayMs(
  failed: number,
  baseMs: number,
  retryAfterMs: number | null,
  random: number,
): number {
  const ceiling = Math.min(LONGEST_DELAY_MS, baseMs * 2 ** (failed - 1));
  const jittered = Math.floor(random * ceiling);
  return retryAfterMs === null ? jittered : Math.min(LONGEST_DELAY_MS, Math.max(retryAfterMs, jittered));
}
