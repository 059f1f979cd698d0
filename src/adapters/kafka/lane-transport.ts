import kafkajs, { type Admin, type Producer } from 'kafkajs';
import type { Logger } from '../../logger.ts';
import type { CommittedPosition, LaneProducer, LaneTransport, TopicPartition } from '../../ports.ts';
import { createKafka, type KafkaSettings, NO_RETRIES, PATIENT_RETRIES } from './kafka-client.ts';
import { TransactionalLaneProducer } from './lane-producer.ts';
import { TopicIds } from './topic-ids.ts';

/** What lanes ask of the cluster: who holds a partition, a fenced producer, and what is committed. */
export class KafkaLaneTransport implements LaneTransport {
  readonly clusterId: string;
  private readonly settings: KafkaSettings;
  private readonly logger: Logger;
  private readonly admin: Admin;
  private readonly topicIds: TopicIds;

  private constructor(
    settings: KafkaSettings,
    logger: Logger,
    admin: Admin,
    topicIds: TopicIds,
    clusterId: string,
  ) {
    this.settings = settings;
    this.logger = logger;
    this.admin = admin;
    this.topicIds = topicIds;
    this.clusterId = clusterId;
  }

  static async connect(settings: KafkaSettings, logger: Logger): Promise<KafkaLaneTransport> {
    const admin = createKafka(settings, logger, PATIENT_RETRIES).admin();
    await admin.connect();
    const { clusterId } = await admin.describeCluster();
    const topicIds = await TopicIds.connect(settings, logger);
    return new KafkaLaneTransport(settings, logger, admin, topicIds, clusterId);
  }

  async holds(memberId: string, { topic, partition }: TopicPartition): Promise<boolean> {
    const { groups } = await this.admin.describeGroups([this.settings.groupId]);
    const group = groups[0];
    if (group?.state !== 'Stable') return false;
    const member = group.members.find((candidate) => candidate.memberId === memberId);
    if (member === undefined) return false;
    const assignment = kafkajs.AssignerProtocol.MemberAssignment.decode(member.memberAssignment);
    return assignment?.assignment[topic]?.includes(partition) ?? false;
  }

  /**
   * Connecting fences nobody: only the first transaction sends InitProducerId, which ends every earlier producer with this
   * transactional id and waits until its transaction is complete.
   */
  async fence(partition: TopicPartition): Promise<LaneProducer> {
    const producer = this.newProducer(partition);
    try {
      await producer.connect();
      const lane = new TransactionalLaneProducer(producer, this.settings.groupId, partition, this.topicIds);
      await lane.fence();
      return lane;
    } catch (error) {
      await producer.disconnect().catch(() => undefined);
      throw error;
    }
  }

  async committedPosition({ topic, partition }: TopicPartition): Promise<CommittedPosition> {
    const [committed, log, topicId] = await Promise.all([
      this.admin.fetchOffsets({ groupId: this.settings.groupId, topics: [topic] }),
      this.admin.fetchTopicOffsets(topic),
      this.topicIds.idOf(topic),
    ]);
    const ours = committed
      .find((entry) => entry.topic === topic)
      ?.partitions.find((entry) => entry.partition === partition);
    const bounds = log.find((entry) => entry.partition === partition);
    if (bounds === undefined) throw new Error(`${topic} has no partition ${partition} any more`);
    const offset = Number(ours?.offset ?? -1);
    return {
      // Negative: nothing committed, or kafkajs's own reset to "earliest" after an offset out of range.
      offset: offset < 0 ? null : offset,
      metadata: ours?.metadata ?? '',
      logStart: Number(bounds.low),
      logEnd: Number(bounds.high),
      topicId,
    };
  }

  topicId(topic: string): Promise<string | null> {
    return this.topicIds.idOf(topic);
  }

  async close(): Promise<void> {
    await Promise.all([this.admin.disconnect(), this.topicIds.close()]);
  }

  private newProducer({ topic, partition }: TopicPartition): Producer {
    // "/" cannot be in a topic's name, so two lanes never share an id.
    const transactionalId = `${this.settings.groupId}/${topic}/${partition}`;
    return createKafka(this.settings, this.logger, NO_RETRIES).producer({
      transactionalId,
      idempotent: false,
      maxInFlightRequests: 1,
      retry: NO_RETRIES,
      createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
      transactionTimeout: this.settings.transactionTimeoutMs,
      allowAutoTopicCreation: false,
      metadataMaxAge: 30_000,
    });
  }
}
