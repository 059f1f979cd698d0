import { randomUUID } from 'node:crypto';
import kafkajs from 'kafkajs';
import { readTopicRanges, topicRanges } from '../../src/adapters/kafka/consumer/topic-ranges.ts';
import { readTopics } from '../../src/adapters/kafka/consumer/topic-reader.ts';
import {
  createKafka,
  type KafkaSettings,
  PATIENT_RETRIES,
} from '../../src/adapters/kafka/kafkajs/kafka-client.ts';
import type { RecordCodec } from '../../src/contract/codec.ts';
import type { TopicNames } from '../../src/contract/topics.ts';
import type { InboundRecord } from '../../src/ports/kafka.ts';
import { END_MARK, History } from '../support/history.ts';
import { silent } from '../support/world.ts';
import type { PartitionPosition } from './checks/evidence.ts';

/** Reads the whole request topic, each partition in log order. */
export async function readRequests(settings: KafkaSettings, topic: string): Promise<InboundRecord[]> {
  const ranges = await readTopicRanges(settings, silent, topic);
  const missing = new Map(
    [...ranges]
      .filter(([, { low, high }]) => high > low)
      .map(([partition, { high }]) => [partition, high - 1]),
  );
  const records: InboundRecord[] = [];
  if (missing.size === 0) return records;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const reader = await readTopics({
    settings,
    logger: silent,
    topics: [topic],
    from: 'start',
    onRecord: (record) => {
      records.push(record);
      if (record.offset >= (missing.get(record.partition) ?? Number.POSITIVE_INFINITY))
        missing.delete(record.partition);
      if (missing.size === 0) resolve();
    },
    onCrash: reject,
  });
  try {
    await promise;
  } finally {
    await reader.close();
  }
  return records;
}

/**
 * Reads everything visible in the output topics. It writes a marker to the end of every partition and reads it under
 * read_committed. Once it has read all markers, it has read everything, and no transaction is open.
 */
export async function readOutputs(
  settings: KafkaSettings,
  topics: TopicNames,
  codec: RecordCodec,
): Promise<History> {
  const { responses, responseGenerated, costs, chunks, messageSent, dead } = topics;
  const outputs = [responses, responseGenerated, costs, chunks, messageSent, dead];
  const mark = randomUUID();
  const producer = createKafka(settings, silent, PATIENT_RETRIES).producer({
    createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
    retry: PATIENT_RETRIES,
  });
  await producer.connect();
  const { topics: described } = await withAdmin(settings, (admin) =>
    admin.fetchTopicMetadata({ topics: outputs }),
  );
  const partitions = described.flatMap(({ name, partitions: own }) =>
    own.map(({ partitionId }) => ({ topic: name, partition: partitionId })),
  );
  await producer.sendBatch({
    topicMessages: outputs.map((topic) => ({
      topic,
      messages: partitions
        .filter((place) => place.topic === topic)
        .map(({ partition }) => ({ partition, key: 'end', value: mark, headers: { [END_MARK]: mark } })),
    })),
  });
  await producer.disconnect();
  const history = await History.read(settings, topics, codec);
  try {
    await history.until(({ endMarks }) => (endMarks.get(mark)?.size ?? 0) >= partitions.length);
  } finally {
    await history.close();
  }
  return history;
}

/** Reads the group's positions on the request topic. */
export async function readPositions(settings: KafkaSettings, topic: string): Promise<PartitionPosition[]> {
  return withAdmin(settings, async (admin) => {
    const [committed, log] = await Promise.all([
      admin.fetchOffsets({ groupId: settings.groupId, topics: [topic] }),
      topicRanges(admin, topic),
    ]);
    const offsets = new Map(
      committed[0]?.partitions.map(({ partition, offset }) => [partition, Number(offset)]),
    );
    return [...log].map(([partition, { low, high }]) => {
      const offset = offsets.get(partition) ?? -1;
      return { partition, committed: offset < 0 ? null : offset, logStart: low, logEnd: high };
    });
  });
}

export async function withAdmin<T>(
  settings: KafkaSettings,
  work: (admin: kafkajs.Admin) => Promise<T>,
): Promise<T> {
  const admin = createKafka(settings, silent, PATIENT_RETRIES).admin();
  await admin.connect();
  try {
    return await work(admin);
  } finally {
    await admin.disconnect();
  }
}
