import { percentilesOf } from '../../bench/support/percentiles.ts';
import type { NeighbourRequest } from './neighbours.ts';

export interface Latency {
  readonly count: number;
  /** Published but never answered. */
  readonly missing: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/** Latency from publishing to the visible response, for requests published in a time span. Unanswered ones count as infinite. */
export function latencyOf(
  published: readonly Pick<NeighbourRequest, 'requestId' | 'sentAt'>[],
  answeredAt: ReadonlyMap<string, number>,
  from: number,
  to: number,
): Latency {
  const own = published.filter(({ sentAt }) => sentAt >= from && sentAt < to);
  const took = own.map(
    ({ requestId, sentAt }) => (answeredAt.get(requestId) ?? Number.POSITIVE_INFINITY) - sentAt,
  );
  const { p50, p99, max } = percentilesOf(took) ?? { p50: Number.NaN, p99: Number.NaN, max: Number.NaN };
  return {
    count: own.length,
    missing: took.filter((ms) => ms === Number.POSITIVE_INFINITY).length,
    p50,
    p99,
    max,
  };
}
