/** Each lookup has connections of its own to the brokers. */
const MAX_IN_FLIGHT = 16;

/** Bounds how many lookups of a client are in flight. Thousands of answers may be late at the same time. */
export class LookupLimit {
  private readonly max: number;
  private inFlight = 0;

  constructor(max: number = MAX_IN_FLIGHT) {
    this.max = max;
  }

  /** @param skipped the result beyond the limit, without a lookup */
  async run<Result>(lookup: () => Promise<Result>, skipped: Result): Promise<Result> {
    if (this.inFlight >= this.max) return skipped;
    this.inFlight += 1;
    try {
      return await lookup();
    } finally {
      this.inFlight -= 1;
    }
  }
}
