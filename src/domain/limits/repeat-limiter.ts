interface Kind {
  readonly since: number;
  suppressed: number;
}

/** Lets one message of a kind through per period and counts the others, so that a fault that repeats does not flood the log. */
export class RepeatLimiter {
  readonly #quietMs: number;
  readonly #kinds = new Map<string, Kind>();

  /** @param quietMs for which further messages of a kind are only counted */
  constructor(quietMs: number) {
    this.#quietMs = quietMs;
  }

  /**
   * @param kind one of a small closed set: kinds are remembered
   * @param now milliseconds by a clock that never jumps
   * @returns how many of the kind were suppressed since the last one that passed; null when this one is suppressed
   */
  take(kind: string, now: number): number | null {
    const known = this.#kinds.get(kind);
    if (known !== undefined && now - known.since < this.#quietMs) {
      known.suppressed += 1;
      return null;
    }
    this.#kinds.set(kind, { since: now, suppressed: 0 });
    return known?.suppressed ?? 0;
  }
}
