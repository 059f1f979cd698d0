import type { Logger } from '../../logger.ts';
import type { LogRange } from '../../spend/spend-listener.ts';
import { createKafka, type KafkaSettings, PATIENT_RETRIES } from './kafka-client.ts';

/** What each partition of a topic has at this moment. */
export async function readTopicRanges(
  settings: KafkaSettings,
  logger: Logger,
  topic: string,
): Promise<ReadonlyMap<number, LogRange>> {
  const admin = createKafka(settings, logger, PATIENT_RETRIES).admin();
  await admin.connect();
  try {
    const offsets = await admin.fetchTopicOffsets(topic);
    return new Map(
      offsets.map(({ partition, low, high }) => [partition, { low: Number(low), high: Number(high) }]),
    );
  } finally {
    await admin.disconnect();
  }
}
