import type { Db } from 'mongodb';
import type { Clock } from '../../../ports/clock.ts';
import { answered } from './retry.ts';

/** Time between two pings. */
const EVERY_MS = 2_000;
/** A database that has not answered for this long is down. */
const ANSWER_WITHIN_MS = 2_000;
/** In case the driver exceeds its limit. Longer than server selection, so that the driver's own error is reported. */
const LONGEST_MS = 8_000;

export interface DatabaseProbeOptions {
  readonly db: Db;
  readonly clock: Clock;
  /** Called for every answer, with its round-trip time. */
  readonly onAnswered: (durationMs: number) => void;
  /** Called when the database stops answering. */
  readonly onDown: (error: Error) => void;
  /** Called when it answers again, with the duration of the outage in milliseconds. */
  readonly onUp: (downMs: number) => void;
}

/** The state of the database. `since` is epoch ms: of the last answer before it went down, or of the first one after it. */
export type DatabaseState =
  | { readonly isUp: true; readonly since: number; readonly roundTripMs: number }
  | { readonly isUp: false; readonly since: number; readonly error: Error };

/** Pings the primary every two seconds, so that an idle process notices an outage too. */
export class DatabaseProbe {
  #state: DatabaseState;
  #answeredAt: number;
  readonly #options: DatabaseProbeOptions;
  readonly #timer: NodeJS.Timeout;
  #isAsking = false;
  #isStopped = false;

  /** @param options of a database that has just answered */
  constructor(options: DatabaseProbeOptions) {
    this.#options = options;
    this.#answeredAt = options.clock.now();
    this.#state = { isUp: true, since: this.#answeredAt, roundTripMs: 0 };
    this.#timer = setInterval(() => void this.#ask(), EVERY_MS).unref();
    void this.#ask();
  }

  get state(): DatabaseState {
    return this.#state;
  }

  stop(): void {
    this.#isStopped = true;
    clearInterval(this.#timer);
  }

  async #ask(): Promise<void> {
    if (this.#isAsking) return;
    this.#isAsking = true;
    const { db, clock } = this.#options;
    const began = clock.monotonic();
    try {
      const ping = db.command({ ping: 1 }, { readPreference: 'primary', timeoutMS: ANSWER_WITHIN_MS });
      await answered(ping, LONGEST_MS);
      if (!this.#isStopped) this.#up(clock.monotonic() - began, clock.now());
    } catch (error) {
      if (!this.#isStopped) this.#down(causeOf(error));
    } finally {
      this.#isAsking = false;
    }
  }

  #up(roundTripMs: number, now: number): void {
    const before = this.#state;
    this.#answeredAt = now;
    this.#state = { isUp: true, since: before.isUp ? before.since : now, roundTripMs };
    this.#options.onAnswered(roundTripMs);
    if (!before.isUp) this.#options.onUp(now - before.since);
  }

  #down(error: Error): void {
    const before = this.#state;
    this.#state = { isUp: false, since: before.isUp ? this.#answeredAt : before.since, error };
    if (before.isUp) this.#options.onDown(error);
  }
}

/** The cause of a timeout says more than the timeout. */
function causeOf(error: unknown): Error {
  if (!(error instanceof Error)) return new Error(String(error));
  return error.cause instanceof Error ? causeOf(error.cause) : error;
}
