import { monitorEventLoopDelay } from 'node:perf_hooks';

const RESOLUTION_MS = 20;
const NANOSECONDS = 1_000_000;

/** Measures event-loop delays: whatever blocks the event loop blocks every request of the process. */
export class EventLoopWatch {
  readonly #delays = monitorEventLoopDelay({ resolution: RESOLUTION_MS });

  constructor() {
    this.#delays.enable();
  }

  /** The longest delay since this was last called, in milliseconds. */
  takeLongestMs(): number {
    const longestMs = Math.max(0, this.#delays.max / NANOSECONDS - RESOLUTION_MS);
    this.#delays.reset();
    return longestMs;
  }

  stop(): void {
    this.#delays.disable();
  }
}
