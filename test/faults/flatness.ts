import type { Sample } from './sampler.ts';

type Measure = Exclude<keyof Sample, 'at'>;

/** How one measure developed after the warm-up. */
export interface Trend {
  readonly measure: Measure;
  /** Values of the first and the last third: the median of memory, the lower quartile of load-dependent measures. */
  readonly early: number;
  readonly late: number;
  readonly most: number;
  /** Theil-Sen slope per hour: the median of the slopes between all pairs. */
  readonly perHour: number;
  readonly isFlat: boolean;
}

interface Tolerance {
  /** Growth between the thirds that counts as noise. */
  readonly share: number;
  readonly absolute: number;
  /** The quantile of a third's samples that is compared. A leak lifts the floor, load only the ceiling. */
  readonly quantile: number;
}

const MEBIBYTE = 1_048_576;

/** Growth that counts as noise: the larger of the two. A leak per request exceeds it within minutes. */
export const TOLERANCES: Readonly<Record<Measure, Tolerance>> = {
  rss: { share: 0.15, absolute: 30 * MEBIBYTE, quantile: 0.5 },
  heapUsed: { share: 0.1, absolute: 8 * MEBIBYTE, quantile: 0.5 },
  external: { share: 0.25, absolute: 10 * MEBIBYTE, quantile: 0.5 },
  descriptors: { share: 0.1, absolute: 10, quantile: 0.25 },
  sockets: { share: 0.1, absolute: 10, quantile: 0.25 },
  timers: { share: 0.25, absolute: 30, quantile: 0.25 },
};

/** @param samples of one process, in time order; samples within `warmUpMs` of the first are ignored */
export function trends(samples: readonly Sample[], warmUpMs: number): Trend[] {
  const from = (samples[0]?.at ?? 0) + warmUpMs;
  const judged = samples.filter(({ at }) => at >= from);
  if (judged.length < 9) throw new Error(`${judged.length} samples after the warm-up are too few to judge`);
  const third = Math.floor(judged.length / 3);
  return (Object.keys(TOLERANCES) as Measure[]).map((measure) => {
    const { share, absolute, quantile } = TOLERANCES[measure];
    const early = atQuantile(
      judged.slice(0, third).map((sample) => sample[measure]),
      quantile,
    );
    const late = atQuantile(
      judged.slice(-third).map((sample) => sample[measure]),
      quantile,
    );
    return {
      measure,
      early,
      late,
      most: Math.max(...judged.map((sample) => sample[measure])),
      perHour: slope(judged, measure) * 3_600_000,
      isFlat: late - early <= Math.max(share * early, absolute),
    };
  });
}

function slope(samples: readonly Sample[], measure: Measure): number {
  const slopes: number[] = [];
  for (const [index, one] of samples.entries()) {
    for (const other of samples.slice(index + 1)) {
      slopes.push((other[measure] - one[measure]) / (other.at - one.at));
    }
  }
  return atQuantile(slopes, 0.5);
}

function atQuantile(values: readonly number[], quantile: number): number {
  const sorted = values.toSorted((one, other) => one - other);
  return sorted[Math.floor(sorted.length * quantile)] ?? Number.NaN;
}
