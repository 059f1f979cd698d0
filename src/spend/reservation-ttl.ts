/** The longest time from a request's end until its cost is counted, in milliseconds. */
const COUNTING_MARGIN_MS = 3_600_000;

/** How long an amount stays reserved, in milliseconds: longer than the longest request and the counting of its cost. */
export function reservationTtlMs(requestTimeoutMs: number): number {
  return requestTimeoutMs + COUNTING_MARGIN_MS;
}
