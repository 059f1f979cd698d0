import { randomUUID } from 'node:crypto';
import type { Admin, Consumer } from 'kafkajs';
import type { Logger } from '../../logger.ts';
import type { InboundRecord } from '../../ports.ts';
import { Pacer } from './fetch/pacer.ts';
import { createKafka, type KafkaSettings, PATIENT_RETRIES } from './kafka-client.ts';
import { mapInbound } from './map-record.ts';
import { topicRanges } from './topic-ranges.ts';
import { requireTopics } from './topics.ts';

export interface TopicReaderOptions {
  readonly settings: KafkaSettings;
  readonly logger: Logger;
  readonly topics: readonly string[];
  /** `end`: what is written after `readTopics` resolves; `start`: everything. */
  readonly from: 'start' | 'end';
  /** Called for each committed record, in order per partition; the partition's next one waits for a promise. */
  readonly onRecord: (record: InboundRecord) => void | Promise<void>;
  /** Reading has ended for good: nothing more will come. */
  readonly onCrash: (error: Error) => void;
}

export interface TopicReader {
  /** Resolves when everything was read that the topics had when reading began. */
  readonly caughtUp: Promise<void>;
  close(): Promise<void>;
}

interface Position {
  readonly topic: string;
  readonly partition: number;
  next: number;
  /** The offset after the last one when reading began. */
  readonly end: number;
}

/**
 * Reads topics beside the service, from all partitions, under read_committed, keeping no position. Resolves when the
 * position is fixed: whatever is written from then on is seen, each record once.
 *
 * @throws TopicsNotReady when one of the topics does not exist
 */
export async function readTopics(options: TopicReaderOptions): Promise<TopicReader> {
  const { settings, logger, topics } = options;
  const kafka = createKafka(settings, logger, PATIENT_RETRIES);
  const admin = kafka.admin();
  const groupId = `${settings.groupId}-reader-${randomUUID()}`;
  const consumer = kafka.consumer({
    groupId,
    allowAutoTopicCreation: false,
    maxWaitTimeInMs: 100,
    retry: PATIENT_RETRIES,
  });
  const close = async () => {
    await consumer.disconnect();
    await admin.deleteGroups([groupId]).catch(() => undefined);
    await admin.disconnect();
  };
  await admin.connect();
  try {
    await requireTopics(admin, topics);
    await consumer.connect();
    const positions = await positionsOf(admin, options);
    const caughtUp = untilCaughtUp(consumer, positions);
    await run(consumer, positions, options);
    return { caughtUp, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/**
 * Reads everything that a topic has when this begins, from the first record on.
 *
 * @throws what `onRecord` throws, and what ends the reading
 */
export async function readToEnd(
  settings: KafkaSettings,
  logger: Logger,
  topic: string,
  onRecord: (record: InboundRecord) => void | Promise<void>,
): Promise<void> {
  const failed = Promise.withResolvers<never>();
  // It may fail before it is waited for.
  failed.promise.catch(() => undefined);
  const reader = await readTopics({
    settings,
    logger,
    topics: [topic],
    from: 'start',
    onRecord: (record) => {
      try {
        return onRecord(record)?.catch(failed.reject);
      } catch (error) {
        return failed.reject(error);
      }
    },
    onCrash: failed.reject,
  });
  try {
    await Promise.race([reader.caughtUp, failed.promise]);
  } finally {
    await reader.close();
  }
}

async function positionsOf(
  admin: Admin,
  { topics, from }: TopicReaderOptions,
): Promise<Map<string, Position>> {
  const positions = new Map<string, Position>();
  for (const topic of topics) {
    for (const [partition, { low, high }] of await topicRanges(admin, topic)) {
      const next = from === 'start' ? low : high;
      positions.set(`${topic}/${partition}`, { topic, partition, next, end: high });
    }
  }
  return positions;
}

/** Also batches that hold nothing but marks of transactions count: a log may end in one. */
function untilCaughtUp(consumer: Consumer, positions: ReadonlyMap<string, Position>): Promise<void> {
  const caughtUp = Promise.withResolvers<void>();
  const behind = new Set([...positions].filter(([, { next, end }]) => next < end).map(([name]) => name));
  if (behind.size === 0) caughtUp.resolve();
  consumer.on(consumer.events.END_BATCH_PROCESS, ({ payload: { topic, partition, lastOffset } }) => {
    const name = `${topic}/${partition}`;
    if (Number(lastOffset) + 1 < (positions.get(name)?.end ?? 0)) return;
    behind.delete(name);
    if (behind.size === 0) caughtUp.resolve();
  });
  return caughtUp.promise;
}

/** Resolves when the group was joined and every position is set. */
async function run(
  consumer: Consumer,
  positions: ReadonlyMap<string, Position>,
  { topics, onRecord, onCrash }: TopicReaderOptions,
): Promise<void> {
  const joined = Promise.withResolvers<void>();
  // It may fail before it is waited for.
  joined.promise.catch(() => undefined);
  consumer.on(consumer.events.CRASH, ({ payload }) => {
    joined.reject(payload.error);
    if (!payload.restart) onCrash(payload.error);
  });
  consumer.on(consumer.events.GROUP_JOIN, () => {
    // Nothing is committed, so that after every rejoin the position is set again to where reading has come.
    for (const { topic, partition, next } of positions.values()) {
      consumer.seek({ topic, partition, offset: String(next) });
    }
    joined.resolve();
  });
  await consumer.subscribe({ topics: [...topics], fromBeginning: true });
  await consumer.run({
    autoCommit: false,
    partitionsConsumedConcurrently: 16,
    eachBatch: async ({ batch: { topic, partition, messages }, heartbeat }) => {
      const position = positions.get(`${topic}/${partition}`);
      if (position === undefined) return;
      const pacer = new Pacer();
      for (const message of messages) {
        if (pacer.isDue) await pacer.pause();
        if (Number(message.offset) < position.next) continue;
        position.next = Number(message.offset) + 1;
        const done = onRecord(mapInbound({ topic, partition }, message));
        if (done === undefined) continue;
        await done;
        // kafkajs sends none of its own while a batch is under way; it knows when the next one is due.
        await heartbeat();
      }
    },
  });
  await joined.promise;
}
