import type { RecordSource, TopicPartition } from '../ports/kafka.ts';
import type { Logger } from '../runtime/logger.ts';

/** Log lines about spend that need an operator. Each says what to do. */

export function logUnreadable(logger: Logger, { topic, partition, offset }: RecordSource, why: string): void {
  logger.error(
    { topic, partition, offset, why },
    'a record of the cost topic cannot be decoded, so its cost is missing from spend; upgrade, then run: completion-bus costs rebuild',
  );
}

/** @param counted the first offset that is not counted */
export function logOtherLog(
  logger: Logger,
  place: TopicPartition,
  counted: number | null,
  logEnd: number,
): void {
  logger.error(
    { ...place, counted, logEnd },
    'the cost topic was cut or recreated: spend has counted records that it no longer has. If the topic is right as it is now, count it again with: completion-bus costs rebuild',
  );
}

export function logDeleted(
  logger: Logger,
  place: TopicPartition,
  deleted: { readonly from: number; readonly to: number },
): void {
  logger.error(
    { ...place, ...deleted },
    'records of the cost topic were deleted before they were counted, so spend lacks them; keep the topic forever (retention.ms=-1)',
  );
}
