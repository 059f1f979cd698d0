import type { Clock } from '../../../ports/clock.ts';
import { systemClock } from '../../../runtime/system-clock.ts';

/** The broker's error for a record whose time is too far from its own. */
export const INVALID_TIMESTAMP = 'INVALID_TIMESTAMP';

const FIRST_STEP_MS = 30 * 60_000;
/** First the step is doubled, up to fifteen years. */
const DOUBLED = 18;
/** Brokers that refuse early times too leave a small window: then it grows evenly, up to a year. */
const EVEN = 365 * 48;
/** So far the wall clock must jump against the monotonic one before it counts as set. */
const JUMP_MS = 60_000;

/**
 * The time that records carry. Brokers refuse a record whose time is more than `message.timestamp.after.max.ms` after their
 * own (an hour by default since Kafka 4.0), or too long before it, and tell nobody what time they have. So each refusal tries
 * another correction of this machine's clock: 30 minutes earlier, later, an hour earlier, later, two hours, and so on. One that
 * is accepted stays until the clock is set.
 */
export class RecordClock {
  private readonly clock: Clock;
  private tries = 0;
  /** Wall clock minus monotonic clock when the correction was chosen. */
  private difference = 0;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** What is added to this machine's time, milliseconds; 0 while no broker refuses it. */
  correctionMs(): number {
    if (this.tries === 0) return 0;
    if (Math.abs(this.differenceNow() - this.difference) > JUMP_MS) this.tries = 0;
    return correctionOf(this.tries);
  }

  /** The time for a record, epoch ms. */
  now(): number {
    return this.clock.now() + this.correctionMs();
  }

  /** A broker refused a time with this correction. Several records may be refused for one of them. */
  refused(correctionMs: number): void {
    if (correctionMs !== this.correctionMs()) return;
    this.tries = (this.tries + 1) % (2 * (DOUBLED + EVEN) + 1);
    this.difference = this.differenceNow();
  }

  private differenceNow(): number {
    return this.clock.now() - this.clock.monotonic();
  }
}

function correctionOf(tries: number): number {
  if (tries === 0) return 0;
  const pair = Math.floor((tries - 1) / 2);
  const step = FIRST_STEP_MS * (pair < DOUBLED ? 2 ** pair : pair - DOUBLED + 1);
  return tries % 2 === 1 ? -step : step;
}

/** Of this thread: what one of its writers learns, the others need not. */
export const recordClock = new RecordClock(systemClock);
