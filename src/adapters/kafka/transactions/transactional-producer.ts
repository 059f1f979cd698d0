import type { Message } from 'kafkajs';
import { type OutboundRecord, ProducerDisconnected, type TopicPartition } from '../../../ports/kafka.ts';
import type { Broker, PartitionToWrite, ProducerIdentity } from '../kafkajs/broker.ts';
import { errorType, leaderOf, whileBusy } from '../kafkajs/broker-errors.ts';
import { byTopic, type Cluster, connectionOf, isConnected } from '../kafkajs/cluster-requests.ts';
import { findCoordinator } from '../kafkajs/find-coordinator.ts';
import { mapMessage } from '../kafkajs/map-record.ts';
import { INVALID_TIMESTAMP, recordClock } from '../produce/record-clock.ts';

/** The offset from which a consumer group reads a partition, with its metadata. */
export interface GroupPosition extends TopicPartition {
  readonly groupId: string;
  readonly offset: number;
  readonly metadata: string;
}

/** What becomes visible together: a position, records or both. */
export interface TransactionContent {
  readonly position: GroupPosition | null;
  /** Each with its partition. */
  readonly records: readonly OutboundRecord[];
}

/** A broker refused the records' timestamps, not the records. A retry carries a corrected time. */
class WrongTime extends Error {
  override readonly name = 'WrongTime';

  constructor(cause: unknown) {
    super(
      "a broker refused a record's timestamp: the clock of this machine or of the broker is wrong; correct it. Until then records carry a corrected time",
      { cause },
    );
  }
}

/** Sequence numbers have 31 bits and wrap to 0. */
const SEQUENCES = 2 ** 31;

/**
 * Writes transactions, one after the other, each in three round trips:
 *
 * ```
 *  1 announce partitions to the coordinator ─► 2 write position and records in parallel ─► 3 commit or abort
 *      (retried while it ends the last one)          (once)                                (once)
 * ```
 *
 * kafkajs's own producer takes nine: it works sequentially and looks up the coordinator each time. This one never retries a
 * write. After an error the transaction is in doubt, and the producer must be replaced.
 *
 * Source: https://cwiki.apache.org/confluence/display/KAFKA/KIP-98
 */
export class TransactionalProducer {
  private readonly cluster: Cluster;
  private coordinator: Broker;
  /** The connection over which the last transaction ended. */
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
   * @param cluster exclusive to this producer, since a broker answers a connection's requests one after the other
   * @param timeoutMs after which the coordinator aborts an open transaction
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
   * @throws the broker's refusal or the connection's error: then the transaction must not be committed.
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
    // kafkajs reconnects when it reads metadata.
    this.requireConnection();
    // 1. Over one connection, so that the coordinator handles them in order without further round trips.
    await Promise.all([
      position && whileBusy(() => coordinator.addOffsetsToTxn({ ...identity, groupId: position.groupId })),
      topics.length > 0 && whileBusy(() => coordinator.addPartitionsToTxn({ ...identity, topics })),
    ]);
    // 2. From here on nothing is retried.
    await Promise.all([
      position && this.commitPosition(position),
      ...byLeader.map(([nodeId, led]) => this.produce(nodeId, led)),
    ]);
  }

  /** Makes everything written visible. After an error the transaction is in doubt. */
  async commit(): Promise<void> {
    await this.coordinator.endTxn({ ...this.identity, transactionResult: true });
  }

  /** Discards everything written: it never becomes visible. */
  async abort(): Promise<void> {
    await this.coordinator.endTxn({ ...this.identity, transactionResult: false });
  }

  /** Closes its connections. A transaction that has not ended is aborted by the next producer of the id. */
  async close(): Promise<void> {
    await this.cluster.disconnect().catch(() => undefined);
  }

  /** A restarted broker may have lost the last commit. The lane must check that before it writes more. */
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

/** kafkajs uses this machine's time for a message without one. */
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
