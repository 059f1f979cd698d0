import type { Clock } from '../../../ports/clock.ts';

export interface DatabaseClock extends Clock {
  /** Learns that the server's clock showed `serverTime` at some moment from `sentAt` to `answeredAt` (monotonic). */
  observe(serverTime: number, sentAt: number, answeredAt: number): void;
}

/**
 * A clock that follows the database's, so that deadlines and billing days do not depend on the wall clock of one worker. It
 * starts with this machine's time and moves only as far as an answer of the server proves it wrong; between two answers it
 * runs by the monotonic clock, so that a wall clock that jumps changes nothing.
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
