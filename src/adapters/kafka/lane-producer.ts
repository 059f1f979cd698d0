import type { Producer, Transaction } from 'kafkajs';
import {
  type LaneProducer,
  type OutboundRecord,
  RecordRefused,
  type Settlement,
  type TopicPartition,
} from '../../ports.ts';
import { errorType, whileBusy } from './broker-errors.ts';
import { mapOutbound } from './map-record.ts';
import type { TopicIds } from './topic-ids.ts';

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
    await whileBusy(() =>
      transaction.sendOffsets({
        consumerGroupId: this.groupId,
        topics: [{ topic, partitions: [entry] }],
      }),
    );
  }
}
