import type { Message } from 'kafkajs';
import { type OutboundRecord, ProducerDisconnected, type TopicPartition } from '../../../ports/kafka.ts';
import type { Broker, PartitionToWrite, ProducerIdentity } from '../kafkajs/broker.ts';
import { errorType, leaderOf, whileBusy } from '../kafkajs/broker-errors.ts';
import { byTopic, type Cluster, connectionOf, isConnected } from '../kafkajs/cluster-requests.ts';
import { findCoordinator } from '../kafkajs/find-coordinator.ts';
import { mapMessage } from '../kafkajs/map-record.ts';
import { INVALID_TIMESTAMP, recordClock } from '../produce/record-clock.ts';

/** From which offset on a consumer group reads a partition, with a note beside it. */
export interface GroupPosition extends TopicPartition {
  readonly groupId: string;
  readonly offset: number;
  readonly metadata: string;
}

/** What becomes visible together. At least one of both is there. */
export interface TransactionContent {
  readonly position: GroupPosition | null;
  /** Each with its partition. */
  readonly records: readonly OutboundRecord[];
}

/** A broker refused the time of records, not the records: written again, they carry another one. */
class WrongTime extends Error {
  override readonly name = 'WrongTime';

  constructor(cause: unknown) {
    super(
      'a broker refused the time of a record, so the clock of this machine or of the broker is wrong; set it. Until then records are written with a corrected time',
      { cause },
    );
  }
}

/** Sequence numbers are 31 bits and begin again at 0. */
const SEQUENCES = 2 ** 31;

/**
 * Writes transactions, one after the other, each in three round trips:
 *
 * ```
 *  1 tell the coordinator what will be written ─► 2 position and records, side by side ─► 3 commit or abort
 *      (again while it ends the one before)            (once)                                (once)
 * ```
 *
 * kafkajs's own producer takes nine: it does one after the other, and asks for the coordinator each time. Nor does this repeat
 * anything once something is written: after an error nothing is known, and this producer is of no more use.
 *
 * Source: https://cwiki.apache.org/confluence/display/KAFKA/KIP-98
 */
export class TransactionalProducer {
  private readonly cluster: Cluster;
  private coordinator: Broker;
  /** The connection on which the last transaction ended. */
  private connection: object | null;
  private readonly identity: ProducerIdentity;
  private groupCoordinator: Broker | null = null;
  private readonly sequences = new Map<string, number>();

  private constructor(cluster: Cluster, coordinator: Broker, identity: ProducerIdentity) {
    this.cluster = cluster;
    this.coordinator = coordinator;
    this.connection = connectionOf(coordinator);
    this.identity = identity;
  }

  /**
   * Ends every earlier producer of the id, aborts what it has not committed, and waits until that is complete.
   *
   * @param cluster of this producer alone: each of its brokers answers one request after the other
   * @param timeoutMs after which the coordinator aborts a transaction by itself
   */
  static async connect(
    cluster: Cluster,
    transactionalId: string,
    timeoutMs: number,
  ): Promise<TransactionalProducer> {
    const coordinator = await findCoordinator(cluster, 'transaction', transactionalId);
    const identity = await whileBusy(() =>
      coordinator.initProducerId({ transactionalId, transactionTimeout: timeoutMs }),
    );
    return new TransactionalProducer(cluster, coordinator, { transactionalId, ...identity });
  }

  /** Finds the coordinator again, for a producer that was idle and whose last transaction is known to be complete. */
  async reconnect(): Promise<void> {
    this.coordinator = await findCoordinator(this.cluster, 'transaction', this.identity.transactionalId);
    this.connection = connectionOf(this.coordinator);
  }

  /**
   * Begins a transaction and writes everything of it.
   *
   * @throws what a broker refused, or what happened to a connection: then it must not be committed.
   *   `ProducerDisconnected` when nothing was begun
   */
  async write({ position, records }: TransactionContent): Promise<void> {
    const { cluster, coordinator, identity } = this;
    this.requireConnection();
    const partitions = byPartition(records);
    const topics = byTopic(partitions);
    await cluster.addMultipleTargetTopics(topics.map(({ topic }) => topic));
    await cluster.refreshMetadataIfNecessary();
    const byLeader = [
      ...Map.groupBy(partitions, (partition) =>
        leaderOf(partition, cluster.findTopicPartitionMetadata(partition.topic)),
      ),
    ];
    // kafkajs connects again when it reads metadata.
    this.requireConnection();
    // 1. Over one connection, so that the coordinator does one after the other without another way back and forth.
    await Promise.all([
      position && whileBusy(() => coordinator.addOffsetsToTxn({ ...identity, groupId: position.groupId })),
      topics.length > 0 && whileBusy(() => coordinator.addPartitionsToTxn({ ...identity, topics })),
    ]);
    // 2. From here on nothing is repeated.
    await Promise.all([
      position && this.commitPosition(position),
      ...byLeader.map(([nodeId, led]) => this.produce(nodeId, led)),
    ]);
  }

  /** Everything that was written becomes visible. After an error it may be, or never become so. */
  async commit(): Promise<void> {
    await this.coordinator.endTxn({ ...this.identity, transactionResult: true });
  }

  /** Nothing that was written ever becomes visible. */
  async abort(): Promise<void> {
    await this.coordinator.endTxn({ ...this.identity, transactionResult: false });
  }

  /** Closes its connections. A transaction that has not ended is aborted by the next producer of the id. */
  async close(): Promise<void> {
    await this.cluster.disconnect().catch(() => undefined);
  }

  /** A broker that was restarted may have lost what was last committed: the lane must look at that before more is written. */
  private requireConnection(): void {
    if (this.connection === null || connectionOf(this.coordinator) !== this.connection)
      throw new ProducerDisconnected(
        `the coordinator of ${this.identity.transactionalId} has closed the connection since the last transaction`,
      );
  }

  private async commitPosition({
    groupId,
    topic,
    partition,
    offset,
    metadata,
  }: GroupPosition): Promise<void> {
    if (this.groupCoordinator === null || !isConnected(this.groupCoordinator))
      this.groupCoordinator = await findCoordinator(this.cluster, 'group', groupId);
    const partitions = [{ partition, offset: String(offset), metadata }];
    await this.groupCoordinator.txnOffsetCommit({
      ...this.identity,
      groupId,
      topics: [{ topic, partitions }],
    });
  }

  /** Records of all the partitions that one broker leads. */
  private async produce(nodeId: number, partitions: readonly PartitionToWrite[]): Promise<void> {
    const broker = await this.cluster.findBroker({ nodeId });
    const topics = Map.groupBy(partitions, ({ topic }) => topic);
    const correctionMs = recordClock.correctionMs();
    const topicData = [...topics].map(([topic, all]) => ({
      topic,
      partitions: all.map((partition) => ({
        ...partition,
        messages: correctionMs === 0 ? partition.messages : withTime(partition.messages, recordClock.now()),
        firstSequence: this.takeSequences(partition),
      })),
    }));
    try {
      await broker.produce({ ...this.identity, topicData });
    } catch (error) {
      if (errorType(error) !== INVALID_TIMESTAMP) throw error;
      recordClock.refused(correctionMs);
      throw new WrongTime(error);
    }
  }

  /** @returns the first of as many numbers as there are messages */
  private takeSequences({ topic, partition, messages }: PartitionToWrite): number {
    const key = `${topic}/${partition}`;
    const first = this.sequences.get(key) ?? 0;
    this.sequences.set(key, (first + messages.length) % SEQUENCES);
    return first;
  }
}

/** kafkajs takes this machine's time where a message has none. */
function withTime(messages: readonly Message[], now: number): Message[] {
  const timestamp = String(now);
  return messages.map((message) => ({ ...message, timestamp }));
}

function byPartition(records: readonly OutboundRecord[]): PartitionToWrite[] {
  const groups = Map.groupBy(records, ({ topic, partition }) => `${topic}/${partition}`);
  return [...groups.values()].map((all) => {
    const [{ topic, partition }] = all as [OutboundRecord, ...OutboundRecord[]];
    if (partition === undefined) throw new TypeError(`a record for ${topic} names no partition`);
    return { topic, partition, messages: all.map(mapMessage) };
  });
}
