import { decodeOffsetMap, type OffsetSnapshot, UnreadableOffsetMap } from '../domain/offset-map.ts';
import type { CommittedPosition } from '../ports.ts';

/**
 * Where a lane begins: at what is committed, else at the log's start, never at its end.
 *
 * @throws UnreadableOffsetMap when going on could lose or repeat outcomes
 */
export function startingSnapshot(position: CommittedPosition, clusterId: string): OffsetSnapshot {
  const { offset, metadata, logStart, logEnd } = position;
  if (offset === null) return { watermark: logStart, unsettled: [], next: logStart };
  if (offset > logEnd) throw new UnreadableOffsetMap(logWasCut(logEnd, offset));
  return decodeOffsetMap(metadata, clusterId, offset) ?? { watermark: offset, unsettled: [], next: offset };
}

/** What to say when the log ends before what was settled. */
export function logWasCut(logEnd: number, settledBelow: number): string {
  return `its log ends at offset ${logEnd}, but everything below ${settledBelow} was settled: ${CUT}`;
}

/** What to say when the client was sent back to the log's start. */
export function logBeganAnew(fetchedOffset: number, settledBelow: number): string {
  return `its log is read from offset ${fetchedOffset} again, but everything below ${settledBelow} was settled: ${CUT}`;
}

const CUT = "the topic was cut or recreated; reset the group's offsets to go on";
