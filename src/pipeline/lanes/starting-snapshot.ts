import {
  decodeOffsetMap,
  type OffsetSnapshot,
  UnreadableOffsetMap,
} from '../../domain/offsets/offset-map.ts';
import type { CommittedPosition } from '../../ports/kafka.ts';

/**
 * Where a lane begins: at what is committed, else at the log's start, never at its end. What is committed for a topic that was deleted
 * and created again means nothing.
 *
 * @throws UnreadableOffsetMap when going on could lose or repeat outcomes
 */
export function startingSnapshot(position: CommittedPosition, clusterId: string): OffsetSnapshot {
  const { offset, metadata, logStart, logEnd, topicId } = position;
  const atLogStart = { watermark: logStart, unsettled: [], next: logStart };
  if (offset === null) return atLogStart;
  const map = decodeOffsetMap(metadata, clusterId, offset);
  if (isOther(map?.topicId ?? null, topicId)) return atLogStart;
  if (offset > logEnd)
    throw new UnreadableOffsetMap(
      `${logWasCut(logEnd, offset)}. Stop publishers and workers, set the group's offset of this partition to ${logEnd}, and start the workers before the publishers: what is published before that below ${offset} is taken for settled`,
    );
  return map ?? { watermark: offset, unsettled: [], next: offset };
}

/** Whether two topics of one name are not the same; brokers before Kafka 2.8 do not tell. */
export function isOther(before: string | null, now: string | null): boolean {
  return before !== null && now !== null && before !== now;
}

/** What is wrong when the log ends before what was settled of it. */
export function logWasCut(logEnd: number, readBelow: number): string {
  return `its log ends at offset ${logEnd}, but everything below ${readBelow} was settled before: its end was lost`;
}
