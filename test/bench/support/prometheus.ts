/** Cumulative counts by upper bound, ascending, the last one infinity. */
export type Histogram = readonly { readonly upTo: number; readonly count: number }[];

/** A histogram of a Prometheus page, all its label sets added up. */
export function histogramOf(page: string, name: string): Histogram {
  const counts = new Map<number, number>();
  for (const line of linesOf(page, `${name}_bucket`)) {
    const bound = /le="([^"]+)"/.exec(line)?.[1];
    const upTo = bound === '+Inf' ? Number.POSITIVE_INFINITY : Number(bound);
    counts.set(upTo, (counts.get(upTo) ?? 0) + amountOn(line));
  }
  return [...counts].map(([upTo, count]) => ({ upTo, count })).sort((one, other) => one.upTo - other.upTo);
}

/** A counter, or a histogram's `_sum` or `_count`, all label sets added up; zero when nothing was counted yet. */
export function sumOf(page: string, name: string): number {
  return linesOf(page, name).reduce((sum, line) => sum + amountOn(line), 0);
}

/** How many lanes are open. */
export function openLanesOf(page: string): number {
  const lines = linesOf(page, 'completionbus_lanes').filter((line) => line.includes('state="open"'));
  return lines.reduce((sum, line) => sum + amountOn(line), 0);
}

/** What was added between two pages. */
export function added(before: Histogram, after: Histogram): Histogram {
  return after.map(({ upTo, count }) => ({
    upTo,
    count: count - (before.find((bucket) => bucket.upTo === upTo)?.count ?? 0),
  }));
}

/** A quantile, linear within its bucket; what lies beyond the last bound counts as that bound. */
export function quantileOf(histogram: Histogram, share: number): number {
  const rank = (histogram.at(-1)?.count ?? 0) * share;
  let lower = 0;
  let below = 0;
  for (const { upTo, count } of histogram) {
    if (count >= rank && count > below) {
      if (upTo === Number.POSITIVE_INFINITY) return lower;
      return lower + ((upTo - lower) * (rank - below)) / (count - below);
    }
    lower = upTo;
    below = count;
  }
  return lower;
}

function linesOf(page: string, name: string): string[] {
  return page.split('\n').filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `));
}

/** OpenTelemetry writes no time behind the value. */
function amountOn(line: string): number {
  return Number(line.slice(line.lastIndexOf(' ') + 1));
}
