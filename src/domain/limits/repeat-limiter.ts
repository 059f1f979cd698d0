interface Kind {
  readonly since: number;
  suppressed: number;
}

/** Passes one message of a kind per period and counts the others, so that a repeating fault does not flood the log. */
export class RepeatLimiter {
  readonly #quietMs: number;
  readonly #kinds = new Map<string, Kind>();

  /** @param quietMs period in which further messages of a kind are only counted */
  constructor(quietMs: number) {
    this.#quietMs = quietMs;
  }

  /**
   * @param kind one of a small closed set, because kinds are remembered
   * @param now milliseconds by a monotonic clock
   * @returns how many of the kind were suppressed since the last one that passed; null if this one is suppressed
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
