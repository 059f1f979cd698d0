import { deadlineExceeded, tookTooLong } from '../../domain/failures/refusals.ts';

export interface TimeLimit {
  /** Fires with the outer signal's reason, or with a `ChatFailure` when the time is up. */
  readonly signal: AbortSignal;
  /** Epoch ms at which it fires; changes with `pause` and `resume`. */
  readonly endsAt: number;
  /** Pauses the total time from `now` (epoch ms) on, but not the deadline. */
  pause(now: number): void;
  resume(now: number): void;
  clear(): void;
}

/** The longest delay of a timer (2^31 - 1 ms). */
const LONGEST_TIMER_MS = 2_147_483_647;

/**
 * Ends a request by its own deadline or by the service's total timeout, whichever comes first.
 *
 * @param deadline epoch ms; null if the caller set none
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
  let timer: NodeJS.Timeout | null = null;
  let leftMs = totalMs;
  let startedAt = now;
  let endsAt = Number.POSITIVE_INFINITY;
  const start = (at: number, allowedMs: number) => {
    const untilDeadline = deadline === null ? Number.POSITIVE_INFINITY : deadline - at;
    const reason = untilDeadline <= allowedMs ? () => deadlineExceeded(true) : () => tookTooLong(totalMs);
    const waitMs = Math.max(0, Math.min(untilDeadline, allowedMs));
    endsAt = at + waitMs;
    if (timer !== null) clearTimeout(timer);
    timer = waitMs > LONGEST_TIMER_MS ? null : setTimeout(() => controller.abort(reason()), waitMs);
  };
  start(now, totalMs);
  const stop = () => controller.abort(outer.reason);
  if (outer.aborted) stop();
  else outer.addEventListener('abort', stop, { once: true });
  return {
    signal: controller.signal,
    get endsAt() {
      return endsAt;
    },
    pause: (at) => {
      leftMs -= at - startedAt;
      start(at, Number.POSITIVE_INFINITY);
    },
    resume: (at) => {
      startedAt = at;
      start(at, leftMs);
    },
    clear: () => {
      if (timer !== null) clearTimeout(timer);
      outer.removeEventListener('abort', stop);
    },
  };
}
