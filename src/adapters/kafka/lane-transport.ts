import kafkajs, { type Admin } from 'kafkajs';
import type { Logger } from '../../logger.ts';
import type { CommittedPosition, LaneProducer, LaneTransport, TopicPartition } from '../../ports.ts';
import { errorType } from './broker-errors.ts';
import { type Cluster, connectCluster } from './cluster-requests.ts';
import { createKafka, type KafkaSettings, PATIENT_RETRIES } from './kafka-client.ts';
import { TransactionalLaneProducer } from './lane-producer.ts';
import { type NotedPosition, readNote } from './settled-notes.ts';
import { TopicIds } from './topic-ids.ts';
import { TransactionCompleter } from './transaction-completer.ts';
import { TransactionalProducer } from './transactional-producer.ts';

/** What lanes ask of the cluster: who holds a partition, a fenced producer, and what is committed. */
export class KafkaLaneTransport implements LaneTransport {
  readonly clusterId: string;
  private readonly settings: KafkaSettings;
  private readonly outputs: readonly string[];
  private readonly logger: Logger;
  private readonly admin: Admin;
  private readonly cluster: Cluster;
  private readonly topicIds: TopicIds;
  private readonly completer: TransactionCompleter;

  private constructor(
    settings: KafkaSettings,
    outputs: readonly string[],
    logger: Logger,
    admin: Admin,
    cluster: Cluster,
    clusterId: string,
  ) {
    this.settings = settings;
    this.outputs = outputs;
    this.logger = logger;
    this.admin = admin;
    this.cluster = cluster;
    this.topicIds = new TopicIds(cluster);
    this.completer = new TransactionCompleter(cluster, settings.transactionTimeoutMs);
    this.clusterId = clusterId;
  }

  /** @param outputs topics that a lane's transactions write to, each in the partition with the lane's number */
  static async connect(
    settings: KafkaSettings,
    outputs: readonly string[],
    logger: Logger,
  ): Promise<KafkaLaneTransport> {
    const admin = createKafka(settings, logger, PATIENT_RETRIES).admin();
    await admin.connect();
    const { clusterId } = await admin.describeCluster();
    const cluster = await connectCluster(settings, logger);
    return new KafkaLaneTransport(settings, outputs, logger, admin, cluster, clusterId);
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

  /** The last transaction of the lane is made complete in every partition; then every earlier producer of it is ended. */
  async fence(partition: TopicPartition): Promise<LaneProducer> {
    const { settings, completer, topicIds } = this;
    const { groupId, transactionTimeoutMs } = settings;
    // "/" cannot be in a topic's name, so two lanes never share an id.
    const transactionalId = `${groupId}/${partition.topic}/${partition.partition}`;
    const partitions = this.outputs.map((topic) => ({ topic, partition: partition.partition }));
    const cluster = await connectCluster(settings, this.logger);
    try {
      await completer.complete({ transactionalId, partitions, groupId });
      const producer = await TransactionalProducer.connect(cluster, transactionalId, transactionTimeoutMs);
      const lane = new TransactionalLaneProducer(producer, groupId, partition, topicIds, {
        topics: this.noteTopics,
        maxBytes: settings.recordMaxBytes,
      });
      await lane.fence();
      return lane;
    } catch (error) {
      await cluster.disconnect().catch(() => undefined);
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
    // Negative: nothing committed, or kafkajs's own reset to "earliest" after an offset out of range.
    const offset = Math.max(-1, Number(ours?.offset ?? -1));
    const metadata = ours?.metadata ?? '';
    const logEnd = Number(bounds.high);
    // Without a map it was set by somebody else, or never.
    const noted = metadata === '' ? await this.notedPosition({ topic, partition }, logEnd) : null;
    const isReset = noted !== null && noted.offset > offset;
    if (isReset)
      this.logger.warn(
        { topic, partition, reset: offset, settled: noted.offset },
        'the position of the group was reset; going on after what is settled, whose outcomes are visible',
      );
    return {
      offset: isReset ? noted.offset : offset < 0 ? null : offset,
      metadata: isReset ? noted.metadata : metadata,
      logStart: Number(bounds.low),
      logEnd: Number(bounds.high),
      topicId,
    };
  }

  /** Whose records carry notes: of the first one every outcome has a record, and of the last one what has no outcome. */
  private get noteTopics(): readonly string[] {
    return this.outputs.filter((_topic, index) => index === 0 || index === this.outputs.length - 1);
  }

  /**
   * Where the group's position was reset: what the lane noted in its outputs last, unless the log ends before that. Never throws
   * for a missing right to read them: then only the ledger keeps outcomes from being repeated.
   */
  private async notedPosition(lane: TopicPartition, logEnd: number): Promise<NotedPosition | null> {
    const { cluster, admin, settings, clusterId } = this;
    try {
      const note = await readNote(
        cluster,
        admin,
        { groupId: settings.groupId, ...lane },
        this.noteTopics,
        clusterId,
      );
      return note !== null && note.offset <= logEnd ? note : null;
    } catch (error) {
      if (errorType(error) !== 'TOPIC_AUTHORIZATION_FAILED') throw error;
      this.logger.warn(
        { ...lane, topics: this.noteTopics },
        'the group has no position of this partition, and its outputs may not be read: requests that were refused before may be refused again; allow READ',
      );
      return null;
    }
  }

  topicId(topic: string): Promise<string | null> {
    return this.topicIds.idOf(topic);
  }

  async close(): Promise<void> {
    await Promise.all([this.admin.disconnect(), this.cluster.disconnect()]);
  }
}
