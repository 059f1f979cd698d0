import type { FetchedRecords } from '../ports/kafka.ts';
import type { LaneGauge } from '../telemetry/observe-gauges.ts';
import type { Lane, LaneState } from './lanes/lane.ts';
import { laneKey, type RequestEntry } from './request-entry.ts';

/** The end of each lane's log, and the values of lanes that metrics collect. */
export class LaneGauges {
  private readonly logEnds = new Map<string, number>();

  fetched(batch: FetchedRecords): void {
    this.logEnds.set(laneKey(batch), batch.highWatermark);
  }

  /** @param entries in the order of their acceptance */
  read(lanes: ReadonlyMap<string, Lane>, entries: Iterable<RequestEntry>, now: number): LaneGauge[] {
    for (const key of this.logEnds.keys()) if (!lanes.has(key)) this.logEnds.delete(key);
    const oldest = new Map<string, number>();
    for (const { record, acceptedAt } of entries) {
      const key = laneKey(record);
      if (!oldest.has(key)) oldest.set(key, acceptedAt);
    }
    return [...lanes].map(([key, { partition, settledBelow }]) => {
      // An open lane that never got a record has read its log to the end.
      const logEnd = this.logEnds.get(key) ?? settledBelow ?? 0;
      return {
        ...partition,
        lag: settledBelow === null ? null : Math.max(0, logEnd - settledBelow),
        oldestMs: now - (oldest.get(key) ?? now),
      };
    });
  }
}

/** Number of lanes by state. */
export function countStates(lanes: Iterable<Lane>): Record<LaneState, number> {
  const counts: Record<LaneState, number> = { opening: 0, open: 0, closed: 0, halted: 0 };
  for (const lane of lanes) counts[lane.state] += 1;
  return counts;
}
