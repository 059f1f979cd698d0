import {
  decodeOffsetMap,
  type OffsetSnapshot,
  UnreadableOffsetMap,
} from '../../domain/offsets/offset-map.ts';
import type { CommittedPosition } from '../../ports/kafka.ts';

/**
 * Where a lane starts: at the committed position, else at the log's start, never at its end. A position that was committed for a
 * deleted and recreated topic is ignored.
 *
 * @throws UnreadableOffsetMap if continuing could lose or repeat outcomes
 */
export function startingSnapshot(position: CommittedPosition, clusterId: string): OffsetSnapshot {
  const { offset, metadata, logStart, logEnd, topicId } = position;
  const atLogStart = { watermark: logStart, unsettled: [], next: logStart };
  if (offset === null) return atLogStart;
  const map = decodeOffsetMap(metadata, clusterId, offset);
  if (isOther(map?.topicId ?? null, topicId)) return atLogStart;
  if (offset > logEnd)
    throw new UnreadableOffsetMap(
      `${logWasCut(logEnd, offset)}. Stop publishers and workers, set the group's offset of this partition to ${logEnd}, and start the workers before the publishers: records published below ${offset} before that count as settled`,
    );
  return map ?? { watermark: offset, unsettled: [], next: offset };
}

/** Whether two topics of one name differ. Brokers before Kafka 2.8 do not report topic ids. */
export function isOther(before: string | null, now: string | null): boolean {
  return before !== null && now !== null && before !== now;
}

/** The message for a log that ends before its settled offsets. */
export function logWasCut(logEnd: number, readBelow: number): string {
  return `its log ends at offset ${logEnd}, but everything below ${readBelow} was settled before: the end of the log was lost`;
}
