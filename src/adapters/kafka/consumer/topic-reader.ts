import type { FetchedRecords, InboundRecord, TopicPartition } from '../../../ports/kafka.ts';
import type { Logger } from '../../../runtime/logger.ts';
import { Pacer } from '../fetch/pacer.ts';
import { TopicFollower } from '../follow/topic-follower.ts';
import type { KafkaSettings } from '../kafkajs/kafka-client.ts';
import { TopicsNotReady } from '../topics/topics.ts';

export interface TopicReaderOptions {
  readonly settings: KafkaSettings;
  readonly logger: Logger;
  readonly topics: readonly string[];
  /** `end`: what is written after `readTopics` resolves; `start`: everything. */
  readonly from: 'start' | 'end';
  /** Called for each committed record, in order per partition; the next one waits for a promise. What it throws ends the reading. */
  readonly onRecord: (record: InboundRecord) => void | Promise<void>;
  /** Reading has ended for good: nothing more will come. */
  readonly onCrash: (error: Error) => void;
}

export interface TopicReader {
  /** Resolves when everything was read that the topics had when reading began. */
  readonly caughtUp: Promise<void>;
  close(): Promise<void>;
}

/**
 * Reads topics beside the service, from all partitions, under read_committed, keeping no position. Resolves when the
 * position is fixed: whatever is written from then on is seen, each record once.
 *
 * @throws TopicsNotReady when one of the topics does not exist
 */
export async function readTopics(options: TopicReaderOptions): Promise<TopicReader> {
  const { settings, logger, topics, from, onRecord, onCrash } = options;
  const progress = new Progress();
  const follower = await TopicFollower.connect({
    settings,
    logger,
    isolationLevel: 'read_committed',
    onFetched: (fetched) => {
      const done = handOver(fetched, onRecord);
      if (done !== undefined) return done.then(() => progress.moved(fetched));
      progress.moved(fetched);
      return undefined;
    },
    onFailed: onCrash,
  });
  try {
    const partitions = await allPartitions(follower, topics);
    const ends = await follower.offsetsOf(partitions.map((partition) => ({ ...partition, from: 'end' })));
    const starts =
      from === 'end'
        ? ends
        : await follower.offsetsOf(partitions.map((partition) => ({ ...partition, from })));
    for (const [index, partition] of partitions.entries())
      progress.expect(partition, starts[index] ?? 0, ends[index] ?? 0);
    progress.begin();
    await follower.follow(
      partitions.map((partition, index) => ({ ...partition, from: { offset: starts[index] ?? 0 } })),
    );
    follower.watchPartitions(topics, (added) => {
      // It fails only when the follower is closed, or reports it itself.
      void follower.follow(added.map((partition) => ({ ...partition, from: 'start' }))).catch(onCrash);
    });
  } catch (error) {
    await follower.close();
    throw error;
  }
  return { caughtUp: progress.caughtUp, close: () => follower.close() };
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
    onRecord,
    onCrash: failed.reject,
  });
  try {
    await Promise.race([reader.caughtUp, failed.promise]);
  } finally {
    await reader.close();
  }
}

/** Brokers hear of a new topic one after the other, so that a missing one is asked for again a few times. */
const TRIES = 3;

async function allPartitions(follower: TopicFollower, topics: readonly string[]): Promise<TopicPartition[]> {
  for (let tries = 1; ; tries += 1) {
    const partitions = await follower.partitionsOf(topics);
    const missing = topics.filter((topic) => partitions.get(topic)?.length === 0);
    if (missing.length === 0)
      return topics.flatMap((topic) =>
        (partitions.get(topic) ?? []).map((partition) => ({ topic, partition })),
      );
    if (tries >= TRIES)
      throw new TopicsNotReady(
        `these topics are missing: ${missing.join(', ')}; create them with: completion-bus topics create`,
      );
  }
}

/** Record after record; a promise only where one of them is waited for, or there are many. */
function handOver(
  { records }: FetchedRecords,
  onRecord: TopicReaderOptions['onRecord'],
): void | Promise<void> {
  const pacer = new Pacer();
  for (const [index, record] of records.entries()) {
    const done = onRecord(record);
    if (done !== undefined || pacer.isDue)
      return handOverRest(records.slice(index + 1), onRecord, done, pacer);
  }
}

async function handOverRest(
  rest: readonly InboundRecord[],
  onRecord: TopicReaderOptions['onRecord'],
  before: void | Promise<void>,
  pacer: Pacer,
): Promise<void> {
  await before;
  for (const record of rest) {
    if (pacer.isDue) await pacer.pause();
    await onRecord(record);
  }
}

/** Which partitions have not been read to where they ended when reading began. */
class Progress {
  private readonly reached = Promise.withResolvers<void>();
  private readonly behind = new Map<string, number>();

  get caughtUp(): Promise<void> {
    return this.reached.promise;
  }

  expect({ topic, partition }: TopicPartition, start: number, end: number): void {
    if (start < end) this.behind.set(`${topic}/${partition}`, end);
  }

  begin(): void {
    if (this.behind.size === 0) this.reached.resolve();
  }

  moved({ topic, partition, nextOffset }: FetchedRecords): void {
    const name = `${topic}/${partition}`;
    const end = this.behind.get(name);
    if (end === undefined || nextOffset < end) return;
    this.behind.delete(name);
    if (this.behind.size === 0) this.reached.resolve();
  }
}
