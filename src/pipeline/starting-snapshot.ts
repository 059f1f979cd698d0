import {
  decodeOffsetMap,
  type KnownRecord,
  type OffsetSnapshot,
  UnreadableOffsetMap,
} from '../domain/offset-map.ts';
import type { CommittedPosition } from '../ports.ts';

export interface StartingSnapshot extends OffsetSnapshot {
  /** A record that the log must have; null when none is known that it still has. */
  readonly newest: KnownRecord | null;
}

/**
 * Where a lane begins: at what is committed, else at the log's start, never at its end.
 *
 * @throws UnreadableOffsetMap when going on could lose or repeat outcomes
 */
export function startingSnapshot(position: CommittedPosition, clusterId: string): StartingSnapshot {
  const { offset, metadata, logStart, logEnd } = position;
  if (offset === null) return { watermark: logStart, unsettled: [], next: logStart, newest: null };
  if (offset > logEnd) throw new UnreadableOffsetMap(logWasCut(logEnd, offset));
  const map = decodeOffsetMap(metadata, clusterId, offset);
  if (map === null) return { watermark: offset, unsettled: [], next: offset, newest: null };
  const { newest } = map;
  if (newest === null || newest.offset < logStart) return { ...map, newest: null };
  if (newest.offset >= logEnd) throw new UnreadableOffsetMap(logWasCut(logEnd, newest.offset + 1));
  return map;
}

/** What to say when the log ends before what was read of it. */
export function logWasCut(logEnd: number, readBelow: number): string {
  return `its log ends at offset ${logEnd}, but everything below ${readBelow} was read before: ${CUT}`;
}

/** What to say when the log does not have what was read of it. */
export function logBeganAnew(fetchedOffset: number, readBelow: number): string {
  return `its log is not the one that was read up to offset ${readBelow} before (seen when reading from ${fetchedOffset}): ${CUT}`;
}

const CUT = "the topic was cut or recreated; reset the group's offsets to go on";
