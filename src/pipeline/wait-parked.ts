import type { Clock } from '../ports.ts';
import { limitTime } from './time-limit.ts';

/** Ends a wait. `atOnce`: without a slot of its own, because the task is about to end. */
export type Unpark = (atOnce: boolean) => Promise<void>;

export interface ParkingOptions {
  readonly clock: Clock;
  /** A request that waits leaves its scheduler slot to others. */
  readonly park: () => Unpark;
  /** Fires when the service begins to stop: nobody waits any longer then. */
  readonly draining: AbortSignal;
}

/**
 * Waits for something that may take long, and leaves the request's slot to others meanwhile.
 *
 * @param wait begins to wait; must reject with the signal's reason when that fires
 * @param deadline epoch ms, which ends the waiting; null when the signal takes care of it
 * @throws `ChatFailure` when the deadline passes; the reason of the signal or of `draining`; what `wait` throws
 */
export async function waitParked<Result>(
  wait: (signal: AbortSignal) => Promise<Result>,
  deadline: number | null,
  { clock, park, draining }: ParkingOptions,
  signal: AbortSignal,
): Promise<Result> {
  const unpark = park();
  const either = AbortSignal.any([signal, draining]);
  const limit = limitTime(either, deadline, Number.POSITIVE_INFINITY, clock.now());
  try {
    const result = await wait(limit.signal);
    await unpark(false);
    return result;
  } catch (error) {
    await unpark(true);
    throw error;
  } finally {
    limit.clear();
  }
}
