import type { Evidence } from './evidence.ts';

/** When everything is answered, everything is settled: the committed offset is the end of the log. */
export function positions({ positions: partitions }: Evidence): string[] {
  return partitions
    .filter(({ committed, logStart, logEnd }) => logEnd > logStart && committed !== logEnd)
    .map(
      ({ partition, committed, logEnd }) =>
        `partition ${partition}: ${committed ?? 'nothing'} is committed, the log ends at ${logEnd}`,
    );
}
