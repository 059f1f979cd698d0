import type { ChatFailure } from '../../domain/failures/chat-failure.ts';
import { retryDelayMs } from '../../domain/limits/retry-delay.ts';

export interface RetryPolicy {
  /** Calls after the first one. */
  readonly retryAttempts: number;
  /** The upper bound of the first wait. It doubles with each failure. */
  readonly retryDelayMs: number;
  /** Whether to retry a stream that broke after chunks were published, for requests that do not say. */
  readonly restartOnBreak: boolean;
}

/** The facts about a failed call. */
export interface FailedCall {
  readonly failure: ChatFailure;
  /** How many calls of this claim have failed, including this one. */
  readonly failed: number;
  /** Published chunks, which consumers may have read. */
  readonly chunkCount: number;
  /** Whether its answer may start late: if the service stopped waiting, the provider most likely still works on it. */
  readonly isSlow: boolean;
  /** The request's own setting; null if it has none. */
  readonly restartOnBreak: boolean | null;
  /** Epoch ms at which the request's time ends. */
  readonly endsAt: number;
}

/**
 * Decides whether to repeat a failed call. It reads only the fields of the failure, never its message.
 *
 * @param now epoch ms
 * @param random 0 inclusive to 1 exclusive
 * @returns milliseconds to wait first. Null for no further call: it cannot succeed, all allowed calls were made, published chunks
 *   must not become void, or the wait would outlast the request or the longest delay
 */
export function waitBeforeRetry(
  { failure, failed, chunkCount, isSlow, restartOnBreak, endsAt }: FailedCall,
  policy: RetryPolicy,
  now: number,
  random: number,
): number | null {
  if (!failure.retryable || failed > policy.retryAttempts) return null;
  // The same long work would be billed again.
  if (failure.outwaited && isSlow) return null;
  if (chunkCount > 0 && !(restartOnBreak ?? policy.restartOnBreak)) return null;
  const delay = retryDelayMs(failed, policy.retryDelayMs, failure.retryAfterMs, random);
  return delay === null || now + delay >= endsAt ? null : delay;
}
