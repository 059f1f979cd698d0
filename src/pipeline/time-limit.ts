import { deadlineExceeded, tookTooLong } from '../domain/refusals.ts';

export interface TimeLimit {
  /** Fires with the outer signal's reason, or with a `ChatFailure` when the time is up. */
  readonly signal: AbortSignal;
  /** Epoch ms at which it fires. */
  readonly endsAt: number;
  clear(): void;
}

/** A timer cannot wait longer (2^31 - 1 ms). */
const LONGEST_TIMER_MS = 2_147_483_647;

/**
 * Ends a request by its own deadline or by the service's total timeout, whichever comes first.
 *
 * @param deadline epoch ms; null when the caller set none
 * @param totalMs the service's limit
 * @param now epoch ms
 */
export function limitTime(
  outer: AbortSignal,
  deadline: number | null,
  totalMs: number,
  now: number,
): TimeLimit {
  const controller = new AbortController();
  const untilDeadline = deadline === null ? Number.POSITIVE_INFINITY : deadline - now;
  const reason = untilDeadline <= totalMs ? () => deadlineExceeded(true) : () => tookTooLong(totalMs);
  const limitMs = Math.max(0, Math.min(untilDeadline, totalMs));
  const waitMs = Math.min(LONGEST_TIMER_MS, limitMs);
  const timer = setTimeout(() => controller.abort(reason()), waitMs);
  const stop = () => controller.abort(outer.reason);
  if (outer.aborted) stop();
  else outer.addEventListener('abort', stop, { once: true });
  return {
    signal: controller.signal,
    endsAt: now + limitMs,
    clear: () => {
      clearTimeout(timer);
      outer.removeEventListener('abort', stop);
    },
  };
}
