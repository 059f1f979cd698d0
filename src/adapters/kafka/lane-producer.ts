import { setTimeout as wait } from 'node:timers/promises';
import type { Producer, Transaction } from 'kafkajs';
import {
  type LaneProducer,
  type OutboundRecord,
  RecordRefused,
  type Settlement,
  type TopicPartition,
} from '../../ports.ts';
import { mapOutbound } from './map-record.ts';
import type { TopicIds } from './topic-ids.ts';

/** Between a commit and the next transaction the coordinator is busy for a few milliseconds. */
const BUSY_DELAY_MS = 3;
const BUSY_TRIES = 1_000;

/** Errors by which a broker refuses a record for what it is. */
const REFUSALS: ReadonlySet<string> = new Set([
  'MESSAGE_TOO_LARGE',
  'RECORD_LIST_TOO_LARGE',
  'INVALID_RECORD',
  'CORRUPT_MESSAGE',
  'INVALID_TIMESTAMP',
]);

/** What a lane has read is of a topic that is not there any more. */
class TopicRecreated extends Error {
  override readonly name = 'TopicRecreated';
}

/**
 * The transactional producer of one lane.
 *
 * kafkajs's own retries repeat or lose records of a transaction when one of several brokers fails, so it has none: only
 * the offsets, with which nothing is written yet, are tried again while the coordinator is busy; the records are sent
 * once, and whatever goes wrong after the beginning leaves the transaction in doubt.
 */
export class TransactionalLaneProducer implements LaneProducer {
  private readonly producer: Producer;
  private readonly groupId: string;
  private readonly partition: TopicPartition;
  private readonly topicIds: Pick<TopicIds, 'idOf'>;

  constructor(
    producer: Producer,
    groupId: string,
    partition: TopicPartition,
    topicIds: Pick<TopicIds, 'idOf'>,
  ) {
    this.producer = producer;
    this.groupId = groupId;
    this.partition = partition;
    this.topicIds = topicIds;
  }

  async settle({ offset, metadata, records, topicId }: Settlement): Promise<void> {
    // What is settled was fetched before this, so it is of the topic that is there now, or of one before it.
    const [transaction, topicIdNow] = await Promise.all([
      this.begin(offset, metadata, records),
      topicId === null ? null : this.topicIds.idOf(this.partition.topic),
    ]);
    if (topicIdNow !== topicId)
      throw new TopicRecreated(`${this.partition.topic} was deleted and created again`);
    await transaction.commit();
  }

  /**
   * Begins a transaction and aborts it, with a write to the group's coordinator in between. The beginning ends every earlier producer of
   * this lane and completes its transaction. The write is acknowledged only when everything before it is committed there: a
   * coordinator that has just taken over from a dead one would else tell a position from before the last commit.
   */
  async fence(): Promise<void> {
    const transaction = await this.producer.transaction();
    await this.sendOffsets(transaction, 0, '');
    await transaction.abort();
  }

  async close(): Promise<void> {
    await this.producer.disconnect().catch(() => undefined);
  }

  private async begin(
    offset: number,
    metadata: string,
    records: readonly OutboundRecord[],
  ): Promise<Transaction> {
    const transaction = await this.producer.transaction();
    await this.sendOffsets(transaction, offset, metadata);
    if (records.length === 0) return transaction;
    try {
      await transaction.sendBatch({ topicMessages: mapOutbound(records) });
      return transaction;
    } catch (error) {
      throw REFUSALS.has(errorType(error))
        ? new RecordRefused('a broker refused a record', { cause: error })
        : error;
    }
  }

  private async sendOffsets(transaction: Transaction, offset: number, metadata: string): Promise<void> {
    const { topic, partition } = this.partition;
    // kafkajs sends the metadata, but its type does not have it.
    const entry: { partition: number; offset: string } = {
      partition,
      offset: String(offset),
      ...{ metadata },
    };
    for (let tries = 1; ; tries += 1) {
      try {
        await transaction.sendOffsets({
          consumerGroupId: this.groupId,
          topics: [{ topic, partitions: [entry] }],
        });
        return;
      } catch (error) {
        if (errorType(error) !== 'CONCURRENT_TRANSACTIONS' || tries >= BUSY_TRIES) throw error;
        await wait(BUSY_DELAY_MS);
      }
    }
  }
}

/** The broker's name of an error, however deep kafkajs has wrapped it. */
export function errorType(error: unknown): string {
  for (let inner = error; inner instanceof Error; inner = inner.cause) {
    const { type, originalError } = inner as { type?: unknown; originalError?: unknown };
    if (typeof type === 'string') return type;
    if (originalError instanceof Error) return errorType(originalError);
  }
  return '';
}
