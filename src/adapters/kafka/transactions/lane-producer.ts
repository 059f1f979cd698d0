import {
  type LaneProducer,
  type OutboundRecord,
  RecordRefused,
  type Settlement,
  type TopicPartition,
} from '../../../ports/kafka.ts';
import { systemClock } from '../../../runtime/system-clock.ts';
import { errorType } from '../kafkajs/broker-errors.ts';
import { mapMessage } from '../kafkajs/map-record.ts';
import { encodeRecord, type RecordToEncode } from '../kafkajs/record-encoding.ts';
import type { TopicLookup } from '../topics/topic-lookup.ts';
import { withNote } from './settled-notes.ts';
import type { TransactionalProducer, TransactionContent } from './transactional-producer.ts';

/** Errors that mean that the record itself is refused. A wrong clock or a damaged transmission is not the record's fault. */
const REFUSALS: ReadonlySet<string> = new Set([
  'MESSAGE_TOO_LARGE',
  'RECORD_LIST_TOO_LARGE',
  'INVALID_RECORD',
]);

function isEncodable(record: OutboundRecord): boolean {
  try {
    encodeRecord(mapMessage(record) as RecordToEncode);
    return record.partition !== undefined;
  } catch {
    return false;
  }
}

/** The lane's topic was deleted and recreated: its records belong to a topic that no longer exists. */
class TopicRecreated extends Error {
  override readonly name = 'TopicRecreated';
}

/** Where a lane notes its position (`withNote`). */
export interface NoteOptions {
  readonly topics: readonly string[];
  readonly maxBytes: number;
}

/** Settles for one lane: records and the position of its partition become visible together. */
export class TransactionalLaneProducer implements LaneProducer {
  private readonly producer: TransactionalProducer;
  private readonly groupId: string;
  private readonly partition: TopicPartition;
  private readonly topics: Pick<TopicLookup, 'recent'>;
  private readonly notes: NoteOptions;
  private last: Promise<unknown> = Promise.resolve();
  private isClosed = false;

  constructor(
    producer: TransactionalProducer,
    groupId: string,
    partition: TopicPartition,
    topics: Pick<TopicLookup, 'recent'>,
    notes: NoteOptions = { topics: [], maxBytes: 0 },
  ) {
    this.notes = notes;
    this.producer = producer;
    this.groupId = groupId;
    this.partition = partition;
    this.topics = topics;
  }

  settle(settlement: Settlement): Promise<number> {
    const settled = this.last.then(() => this.settleNow(settlement));
    this.last = settled;
    return settled;
  }

  private async settleNow({ offset, metadata, records: outcomes, topicId }: Settlement): Promise<number> {
    // kafkajs would connect again.
    if (this.isClosed) throw new Error(`the producer of ${this.partition.topic} was closed`);
    const lane = { groupId: this.groupId, ...this.partition };
    const { topics, maxBytes } = this.notes;
    const records = withNote(outcomes, lane, { offset, metadata }, topics, maxBytes);
    // The map names the topic too: what is committed in the second before a new one is noticed means nothing to the next lane that opens.
    const [topicIdNow] = await Promise.all([
      topicId === null ? null : this.topics.recent(this.partition.topic).then(({ id }) => id),
      this.write({ position: this.positionAt(offset, metadata), records }),
    ]);
    if (topicIdNow !== topicId)
      throw new TopicRecreated(`${this.partition.topic} was deleted and created again`);
    await this.producer.commit();
    return systemClock.monotonic();
  }

  /**
   * Writes to the group's coordinator and aborts it. The write is acknowledged only when everything before it is committed
   * there: a coordinator that has just taken over from a dead one would else tell a position from before the last commit.
   */
  async fence(): Promise<void> {
    await this.producer.write({ position: this.positionAt(0, ''), records: [] });
    await this.producer.abort();
  }

  async close(): Promise<void> {
    this.isClosed = true;
    await this.producer.close();
  }

  private positionAt(offset: number, metadata: string): NonNullable<TransactionContent['position']> {
    return { ...this.partition, groupId: this.groupId, offset, metadata };
  }

  private async write(content: TransactionContent): Promise<void> {
    try {
      await this.producer.write(content);
    } catch (error) {
      if (REFUSALS.has(errorType(error)))
        throw new RecordRefused('a broker refused a record', { cause: error });
      // What cannot be encoded fails the same way each time; a TypeError of kafkajs may as well come from a lost connection.
      if (!content.records.every(isEncodable))
        throw new RecordRefused('a record cannot be encoded', { cause: error });
      throw error;
    }
  }
}
