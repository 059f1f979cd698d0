import type { RecordSource, TopicPartition } from '../ports/kafka.ts';
import type { Logger } from '../runtime/logger.ts';

/** What a person must know of while spend is added up, with the way out. */

export function logUnreadable(logger: Logger, { topic, partition, offset }: RecordSource, why: string): void {
  logger.error(
    { topic, partition, offset, why },
    'a record of the cost topic cannot be counted: spend lacks it until a version that can read it rebuilds spend',
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
    'spend has counted records that the cost topic does not have: it was cut or recreated. If it is right as it is now, count it afresh with: completion-bus costs rebuild',
  );
}

export function logDeleted(
  logger: Logger,
  place: TopicPartition,
  deleted: { readonly from: number; readonly to: number },
): void {
  logger.error(
    { ...place, ...deleted },
    'records of the cost topic were deleted before they were counted: spend lacks them. Keep the topic for ever (retention.ms=-1)',
  );
}
