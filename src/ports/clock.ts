/** Clocks as arguments, so that tests need no waiting. */
export interface Clock {
  /** Epoch milliseconds. */
  now(): number;
  /** Milliseconds by a clock that never jumps. */
  monotonic(): number;
}
