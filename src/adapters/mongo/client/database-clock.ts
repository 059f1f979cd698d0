import type { Clock } from '../../../ports/clock.ts';

export interface DatabaseClock extends Clock {
  /** Records that the server's clock showed `serverTime` at some instant from `sentAt` to `answeredAt` (monotonic). */
  observe(serverTime: number, sentAt: number, answeredAt: number): void;
}

/**
 * A clock that follows the database's, so that deadlines and billing days do not depend on one worker's wall clock. It
 * starts with this machine's time. It moves only as far as an answer of the server proves it wrong. Between two answers it
 * follows the monotonic clock, so jumps of the wall clock have no effect.
 */
export function createDatabaseClock(clock: Clock): DatabaseClock {
  let offsetMs = clock.now() - clock.monotonic();
  return {
    now: () => Math.floor(clock.monotonic() + offsetMs),
    monotonic: () => clock.monotonic(),
    observe: (serverTime, sentAt, answeredAt) => {
      // The server reports whole milliseconds: its clock may have been almost one further.
      offsetMs = Math.min(Math.max(offsetMs, serverTime - answeredAt), serverTime + 1 - sentAt);
    },
  };
}
