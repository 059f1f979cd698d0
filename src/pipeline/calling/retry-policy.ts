import type { ChatFailure } from '../../domain/failures/chat-failure.ts';
import { retryDelayMs } from '../../domain/limits/retry-delay.ts';

export interface RetryPolicy {
  /** Calls after the first one. */
  readonly retryAttempts: number;
  /** The first wait's upper bound; it doubles with each failure. */
  readonly retryDelayMs: number;
  /** Whether a stream that broke after chunks were published is tried again, for requests that do not say. */
  readonly restartOnBreak: boolean;
}

/** What is known when a call has failed. */
export interface FailedCall {
  readonly failure: ChatFailure;
  /** How many calls of this claim have failed, this one included. */
  readonly failed: number;
  /** Chunks of it that subscribers may have read. */
  readonly chunkCount: number;
  /** Whether answers of its kind may begin late, so that the provider most likely still works on one that is not waited for. */
  readonly isSlow: boolean;
  /** The request's own wish; null when it has none. */
  readonly restartOnBreak: boolean | null;
  /** Epoch ms at which the request's time is up. */
  readonly endsAt: number;
}

/**
 * Decides whether a failed call is made again. Policy reads the failure's fields alone.
 *
 * @param now epoch ms
 * @param random 0 inclusive to 1 exclusive
 * @returns milliseconds to wait first; null when there is no point in another call: it cannot succeed, as many were made as may be, what
 *   was published must not be void, or the wait would outlast the request or patience
 */
export function waitBeforeRetry(
  { failure, failed, chunkCount, isSlow, restartOnBreak, endsAt }: FailedCall,
  policy: RetryPolicy,
  now: number,
  random: number,
): number | null {
  if (!failure.retryable || failed > policy.retryAttempts) return null;
  // The same long work would be paid for once more.
  if (failure.outwaited && isSlow) return null;
  if (chunkCount > 0 && !(restartOnBreak ?? policy.restartOnBreak)) return null;
  const delay = retryDelayMs(failed, policy.retryDelayMs, failure.retryAfterMs, random);
  return delay === null || now + delay >= endsAt ? null : delay;
}
