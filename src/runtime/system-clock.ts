import type { Clock } from '../ports/clock.ts';

/** The machine's clocks. The monotonic one is the same in all threads of the process, which `performance.now()` is not. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => Number(process.hrtime.bigint()) / 1e6,
};
