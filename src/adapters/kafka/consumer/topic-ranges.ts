import type { Admin } from 'kafkajs';
import type { Logger } from '../../../runtime/logger.ts';
import { retry } from '../../../runtime/retry.ts';
import type { LogRange } from '../../../spend/log-range.ts';
import { errorType } from '../kafkajs/broker-errors.ts';
import { createKafka, type KafkaSettings, PATIENT_RETRIES } from '../kafkajs/kafka-client.ts';

/** A leader has just moved, and the broker that was asked for it had not heard of that yet. */
const MOVED: ReadonlySet<string> = new Set([
  'NOT_LEADER_FOR_PARTITION',
  'LEADER_NOT_AVAILABLE',
  'REPLICA_NOT_AVAILABLE',
]);
const MOVED_DELAY_MS = 100;
const MOVED_TRIES = 100;

/** What each partition of a topic has at this moment. */
export async function readTopicRanges(
  settings: KafkaSettings,
  logger: Logger,
  topic: string,
): Promise<ReadonlyMap<number, LogRange>> {
  const admin = createKafka(settings, logger, PATIENT_RETRIES).admin();
  await admin.connect();
  try {
    return await topicRanges(admin, topic);
  } finally {
    await admin.disconnect();
  }
}

/** The same, by a client that is there. kafkajs looks for the leaders each time, and gives up when one has moved meanwhile. */
export async function topicRanges(
  admin: Pick<Admin, 'fetchTopicOffsets'>,
  topic: string,
): Promise<ReadonlyMap<number, LogRange>> {
  const offsets = await retry(() => admin.fetchTopicOffsets(topic), {
    tries: MOVED_TRIES,
    delayMs: MOVED_DELAY_MS,
    isRetryable: (error) => MOVED.has(errorType(error)),
  });
  return new Map(
    offsets.map(({ partition, low, high }) => [partition, { low: Number(low), high: Number(high) }]),
  );
}
