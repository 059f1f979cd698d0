import { setTimeout as wait } from 'node:timers/promises';

export interface RetryOptions {
  /** Total number of tries. Default: until it succeeds. */
  readonly tries?: number;
  /** Default: every error. */
  readonly isRetryable?: (error: unknown) => boolean;
  /** Milliseconds before the next try, or a function of the number of failures. Default: 0. */
  readonly delayMs?: number | ((failures: number) => number);
  /** Called before the delay. What it throws ends the retries. */
  readonly onRetry?: (error: unknown) => void | Promise<void>;
  readonly signal?: AbortSignal;
}

/**
 * Retries an operation until it succeeds. It must be idempotent: it may have succeeded although it failed.
 *
 * @throws the operation's last error; the signal's reason if it fires, after the current try has ended
 */
export async function retry<Result>(
  operation: () => Promise<Result>,
  options: RetryOptions,
): Promise<Result> {
  const {
    tries = Number.POSITIVE_INFINITY,
    isRetryable = () => true,
    delayMs = 0,
    onRetry,
    signal,
  } = options;
  for (let failures = 1; ; failures += 1) {
    signal?.throwIfAborted();
    try {
      return await operation();
    } catch (error) {
      signal?.throwIfAborted();
      if (failures >= tries || !isRetryable(error)) throw error;
      await onRetry?.(error);
    }
    const pauseMs = typeof delayMs === 'number' ? delayMs : delayMs(failures);
    if (pauseMs > 0) await wait(pauseMs, undefined, signal && { signal }).catch(() => undefined);
  }
}

/** A delay that doubles with each failure. @param failures from 1 */
export function doubledMs(failures: number, firstMs: number, longestMs: number): number {
  return Math.min(longestMs, firstMs * 2 ** Math.min(failures - 1, 20));
}
