import type { Clock } from '../../../src/ports/clock.ts';

/** A clock that advances only on command. */
export class FakeClock implements Clock {
  /** Epoch ms. */
  time = Date.UTC(2026, 0, 2, 3, 4, 5);
  elapsed = 0;

  now(): number {
    return this.time;
  }

  monotonic(): number {
    return this.elapsed;
  }

  advance(ms: number): void {
    this.time += ms;
    this.elapsed += ms;
  }
}
