import { randomUUID } from 'node:crypto';
import type { Logger } from '../../logger.ts';
import type { InboundRecord } from '../../ports.ts';
import { createKafka, type KafkaSettings, PATIENT_RETRIES } from './kafka-client.ts';
import { mapInbound } from './map-record.ts';

export interface TopicReaderOptions {
  readonly settings: KafkaSettings;
  readonly logger: Logger;
  readonly topics: readonly string[];
  /** `end`: what is written after `readTopics` resolves; `start`: everything. */
  readonly from: 'start' | 'end';
  /** Called for each committed record, in order per partition. */
  readonly onRecord: (record: InboundRecord) => void;
}

export interface TopicReader {
  close(): Promise<void>;
}

/**
 * Reads topics beside the service, from all partitions, under read_committed, keeping no position. Resolves when the
 * position is fixed: whatever is written from then on is seen.
 */
export async function readTopics({
  settings,
  logger,
  topics,
  from,
  onRecord,
}: TopicReaderOptions): Promise<TopicReader> {
  const kafka = createKafka(settings, logger, PATIENT_RETRIES);
  const admin = kafka.admin();
  await admin.connect();
  const positions = new Map<string, { readonly topic: string; readonly partition: number; next: number }>();
  for (const topic of topics) {
    for (const { partition, low, high } of await admin.fetchTopicOffsets(topic)) {
      positions.set(`${topic}/${partition}`, {
        topic,
        partition,
        next: Number(from === 'start' ? low : high),
      });
    }
  }
  const groupId = `${settings.groupId}-reader-${randomUUID()}`;
  const consumer = kafka.consumer({
    groupId,
    allowAutoTopicCreation: false,
    maxWaitTimeInMs: 100,
    retry: PATIENT_RETRIES,
  });
  const joined = Promise.withResolvers<void>();
  consumer.on(consumer.events.CRASH, ({ payload }) => joined.reject(payload.error));
  consumer.on(consumer.events.GROUP_JOIN, () => {
    // Nothing is committed, so that after every rejoin the position is set again to where reading has come.
    for (const { topic, partition, next } of positions.values()) {
      consumer.seek({ topic, partition, offset: String(next) });
    }
    joined.resolve();
  });
  await consumer.connect();
  await consumer.subscribe({ topics: [...topics], fromBeginning: true });
  await consumer.run({
    autoCommit: false,
    partitionsConsumedConcurrently: 16,
    eachBatch: async ({ batch: { topic, partition, messages } }) => {
      const position = positions.get(`${topic}/${partition}`) ?? { next: 0 };
      for (const message of messages) {
        if (Number(message.offset) < position.next) continue;
        position.next = Number(message.offset) + 1;
        onRecord(mapInbound({ topic, partition }, message));
      }
    },
  });
  await joined.promise;
  return {
    close: async () => {
      await consumer.disconnect();
      await admin.deleteGroups([groupId]).catch(() => undefined);
      await admin.disconnect();
    },
  };
}
