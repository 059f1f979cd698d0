import type { TopicPartition } from '../../../ports/kafka.ts';
import { brokerError } from '../kafkajs/cluster-requests.ts';
import type { BrokerConnections } from '../produce/broker-connections.ts';
import { SharedAnswer } from '../topics/shared-answer.ts';

const UNKNOWN_TOPIC = 3;
const LEADER_NOT_AVAILABLE = 5;

/** Who leads the partitions of some topics, as last read. */
export class PartitionLeaders {
  private readonly connections: BrokerConnections;
  /** By topic, then by partition; below 0 for none. */
  private readonly topics = new Map<string, ReadonlyMap<number, number>>();
  private readonly reading: SharedAnswer<void>;

  constructor(connections: BrokerConnections) {
    this.connections = connections;
    this.reading = new SharedAnswer(() => this.read());
  }

  /** Adds topics to those that are read. A topic that does not exist has no partitions. */
  add(topics: readonly string[]): void {
    for (const topic of topics) if (!this.topics.has(topic)) this.topics.set(topic, new Map());
  }

  /**
   * Reads again. Concurrent callers share one request.
   *
   * @throws when no broker answers, or one of the topics may not be read
   */
  refresh(): Promise<void> {
    return this.reading.get();
  }

  /** In ascending order; empty when the topic does not exist, as far as is known. */
  partitionsOf(topic: string): number[] {
    return [...(this.topics.get(topic)?.keys() ?? [])].sort((one, other) => one - other);
  }

  /** @returns null when the partition has no leader, as far as is known */
  leaderOf({ topic, partition }: TopicPartition): number | null {
    const leader = this.topics.get(topic)?.get(partition) ?? -1;
    return leader < 0 ? null : leader;
  }

  private async read(): Promise<void> {
    const { topicMetadata } = await this.connections.metadata([...this.topics.keys()]);
    for (const { topic, topicErrorCode, partitionMetadata } of topicMetadata) {
      if (topicErrorCode === UNKNOWN_TOPIC || topicErrorCode === LEADER_NOT_AVAILABLE) {
        this.topics.set(topic, new Map());
        continue;
      }
      if (topicErrorCode !== 0)
        throw new Error(
          `${topic} cannot be read: ${brokerError(topicErrorCode).message}; allow this client to describe and read the topic`,
          { cause: brokerError(topicErrorCode) },
        );
      this.topics.set(
        topic,
        new Map(partitionMetadata.map(({ partitionId, leader }) => [partitionId, leader])),
      );
    }
  }
}
