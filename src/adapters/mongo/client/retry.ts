import { setTimeout as delay } from 'node:timers/promises';
import { doubledMs, retry as retryAny } from '../../../runtime/retry.ts';
import { isTransientError } from './transient-error.ts';

const FIRST_DELAY_MS = 25;
const LONGEST_DELAY_MS = 2_000;
/** Looking for a server takes 5 s at most, an operation with its limits 10, and the driver tries it twice. */
export const LONGEST_OPERATION_MS = 30_000;

/** How long the work of an adapter waits for the database, and who is told that it does. */
export interface RetryPolicy {
  /** Ends the waiting: what is waiting then rejects with the signal's reason. */
  readonly signal: AbortSignal;
  /** Told of every error that is retried. Must not throw. */
  readonly onRetry: (error: unknown) => void;
  /** Default: what the state of the database's nodes explains. */
  readonly isRetryable?: (error: unknown) => boolean;
  /** After so long without an answer an operation is repeated. Default: 30 s. */
  readonly longestMs?: number | undefined;
  /** The longest pause before it is repeated. Default: 2 s. */
  readonly longestDelayMs?: number;
}

/** The database was silent: the server's own limits do not help against that. */
class NoAnswer extends Error {
  override readonly name = 'NoAnswer';
}

/**
 * Repeats an operation, with growing pauses from 25 ms on, until it succeeds, fails for a reason that waiting
 * cannot cure, or the signal fires. The operation must be idempotent: it may have been done although it failed.
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
 * Waits for an operation's answer, but not for ever, as the driver (7.9) does when a socket was destroyed between its being taken from the
 * pool and written to: it waits for that socket to drain.
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

/** Waits for a promise, but no longer than until the signal fires, then throws its reason: the driver's writes cannot be aborted. */
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
