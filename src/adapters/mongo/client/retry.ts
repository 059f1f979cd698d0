import { setTimeout as delay } from 'node:timers/promises';
import { doubledMs, retry as retryAny } from '../../../runtime/retry.ts';
import { isTransientError } from './transient-error.ts';

const FIRST_DELAY_MS = 25;
const LONGEST_DELAY_MS = 2_000;
/** Server selection takes 5 s at most, an operation 10 s with its limits, and the driver tries it twice. */
export const LONGEST_OPERATION_MS = 30_000;

/** How long an adapter's work waits for the database, and who is notified of it. */
export interface RetryPolicy {
  /** Ends the waiting: pending work then rejects with the signal's reason. */
  readonly signal: AbortSignal;
  /** Called for every error that is retried. Must not throw. */
  readonly onRetry: (error: unknown) => void;
  /** Default: errors that come from the state of the database's nodes. */
  readonly isRetryable?: (error: unknown) => boolean;
  /** How long an operation may be unanswered before it is retried. Default: 30 s. */
  readonly longestMs?: number | undefined;
  /** The longest pause before a retry. Default: 2 s. */
  readonly longestDelayMs?: number;
}

/** The database was silent. The server's own time limits do not help against that. */
class NoAnswer extends Error {
  override readonly name = 'NoAnswer';
}

/**
 * Retries an operation, with growing pauses from 25 ms on, until it succeeds, fails permanently, or the signal fires. The
 * operation must be idempotent: it may have succeeded although its answer was lost.
 *
 * @throws the signal's reason, or the operation's own error
 */
export function retry<T>(operation: () => Promise<T>, policy: RetryPolicy): Promise<T> {
  const {
    isRetryable = isTransientError,
    longestDelayMs = LONGEST_DELAY_MS,
    longestMs,
    signal,
    onRetry,
  } = policy;
  return retryAny(() => untilAborted(answered(operation(), longestMs), signal), {
    isRetryable: (error) => error instanceof NoAnswer || isRetryable(error),
    delayMs: (failures) => doubledMs(failures, FIRST_DELAY_MS, longestDelayMs),
    onRetry,
    signal,
  });
}

/**
 * Waits for an operation's answer, but only for a limited time. The driver (7.9) waits forever for a socket to drain that was
 * destroyed between checkout and write.
 *
 * @throws `NoAnswer`, or the operation's own error
 */
export async function answered<T>(operation: Promise<T>, limitMs = LONGEST_OPERATION_MS): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => late.reject(new NoAnswer(`the database has not answered for ${limitMs / 1_000} s`)),
    limitMs,
  );
  try {
    return await Promise.race([operation, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** Waits for a promise until the signal fires, then throws the signal's reason. The driver's writes cannot be aborted. */
export async function untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = Promise.withResolvers<never>();
  const abort = () => aborted.reject(signal.reason);
  if (signal.aborted) abort();
  signal.addEventListener('abort', abort, { once: true });
  try {
    return await Promise.race([aborted.promise, promise]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

/** Resolves after a time, or as soon as the signal fires; the caller looks at the signal. */
export async function pause(delayMs: number, signal: AbortSignal): Promise<void> {
  await delay(delayMs, undefined, { signal }).catch(() => undefined);
}
