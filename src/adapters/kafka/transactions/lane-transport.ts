import kafkajs from 'kafkajs';
import type { CommittedPosition, LaneProducer, LaneTransport, TopicPartition } from '../../../ports/kafka.ts';
import type { Logger } from '../../../runtime/logger.ts';
import type { Broker } from '../kafkajs/broker.ts';
import { errorType, NoLeader } from '../kafkajs/broker-errors.ts';
import { type Cluster, connectCluster } from '../kafkajs/cluster-requests.ts';
import { findCoordinator } from '../kafkajs/find-coordinator.ts';
import type { KafkaSettings } from '../kafkajs/kafka-client.ts';
import { SharedAnswer } from '../topics/shared-answer.ts';
import { TopicLookup } from '../topics/topic-lookup.ts';
import { InDoubtTransactionResolver } from './in-doubt-transaction-resolver.ts';
import { TransactionalLaneProducer } from './lane-producer.ts';
import { type NotedPosition, type OutputLog, readNote } from './settled-notes.ts';
import { TransactionalProducer } from './transactional-producer.ts';
import { Turns } from './turns.ts';

/** Each member's partitions, by topic. */
type Members = ReadonlyMap<string, Readonly<Record<string, readonly number[]>>>;

interface LedPartition extends TopicPartition {
  readonly leader: number;
}

const OPENINGS_AT_A_TIME = 48;
/** Where a log begins and ends, as ListOffsets names it. */
const EARLIEST = -2;
const LATEST = -1;

/** What lanes ask of the cluster: who holds a partition, a fenced producer, and what is committed. */
export class KafkaLaneTransport implements LaneTransport {
  readonly clusterId: string;
  private readonly settings: KafkaSettings;
  private readonly outputs: readonly string[];
  private readonly logger: Logger;
  private readonly cluster: Cluster;
  private readonly topics: TopicLookup;
  private readonly members: SharedAnswer<Members>;
  private readonly resolver: InDoubtTransactionResolver;
  private readonly openings = new Turns(OPENINGS_AT_A_TIME);

  private constructor(
    settings: KafkaSettings,
    outputs: readonly string[],
    logger: Logger,
    cluster: Cluster,
    clusterId: string,
  ) {
    this.settings = settings;
    this.outputs = outputs;
    this.logger = logger;
    this.cluster = cluster;
    this.topics = new TopicLookup(cluster);
    this.members = new SharedAnswer(() => this.membersNow());
    this.resolver = new InDoubtTransactionResolver(cluster, settings.transactionTimeoutMs);
    this.clusterId = clusterId;
  }

  /** @param outputs topics that a lane's transactions write to, each in the partition with the lane's number */
  static async connect(
    settings: KafkaSettings,
    outputs: readonly string[],
    logger: Logger,
  ): Promise<KafkaLaneTransport> {
    const cluster = await connectCluster(settings, logger);
    return new KafkaLaneTransport(settings, outputs, logger, cluster, clusterIdOf(cluster));
  }

  async holds(memberId: string, { topic, partition }: TopicPartition): Promise<boolean> {
    return (await this.members.get()).get(memberId)?.[topic]?.includes(partition) ?? false;
  }

  /** So many at a time: hundreds of lanes that open at once would keep one another, and everybody else, from an answer in time. */
  fence(partition: TopicPartition, heldBy?: string): Promise<LaneProducer> {
    return this.openings.take(async (hasWaited) => {
      if (hasWaited && heldBy !== undefined && !(await this.holds(heldBy, partition)))
        throw new Error(
          `${partition.topic}/${partition.partition} was assigned to another member while its lane waited to open`,
        );
      return this.fenceNow(partition);
    });
  }

  /** The last transaction of the lane is made complete in every partition; then every earlier producer of it is ended. */
  private async fenceNow(partition: TopicPartition): Promise<LaneProducer> {
    const { settings, resolver, topics } = this;
    const { groupId, transactionTimeoutMs } = settings;
    // "/" cannot be in a topic's name, so two lanes never share an id.
    const transactionalId = `${groupId}/${partition.topic}/${partition.partition}`;
    const partitions = this.outputs.map((topic) => ({ topic, partition: partition.partition }));
    const cluster = await connectCluster(settings, this.logger);
    try {
      await resolver.resolve({ transactionalId, partitions, groupId });
      const producer = await TransactionalProducer.connect(cluster, transactionalId, transactionTimeoutMs);
      const lane = new TransactionalLaneProducer(producer, groupId, partition, topics, {
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

  /** Of this partition alone, however many others the topic has. */
  async committedPosition(partition: TopicPartition): Promise<CommittedPosition> {
    const [{ id, start, end }, committed] = await Promise.all([
      this.logOf(partition),
      this.committedOf(partition),
    ]);
    // Negative: nothing committed, or a reset to "earliest" after an offset out of range.
    const offset = Math.max(-1, Number(committed?.offset ?? -1));
    const metadata = committed?.metadata ?? '';
    const log = { logStart: start, logEnd: end, topicId: id };
    // Without a map it was set by somebody else, or never.
    const noted = metadata === '' ? await this.notedPosition(partition, end) : null;
    if (noted === null || noted.offset <= offset)
      return { offset: offset < 0 ? null : offset, metadata, ...log };
    this.logger.warn(
      { ...partition, reset: offset, settled: noted.offset },
      'the position of the group was reset; continuing after the requests whose outcomes are visible',
    );
    return { ...noted, ...log };
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
    const { settings, clusterId } = this;
    const log: OutputLog = {
      bounds: (output) => this.logOf(output),
      leader: async (output) => this.cluster.findBroker({ nodeId: (await this.logOf(output)).leader }),
    };
    try {
      const note = await readNote(log, { groupId: settings.groupId, ...lane }, this.noteTopics, clusterId);
      return note !== null && note.offset <= logEnd ? note : null;
    } catch (error) {
      if (errorType(error) !== 'TOPIC_AUTHORIZATION_FAILED') throw error;
      this.logger.warn(
        { ...lane, topics: this.noteTopics },
        'the group has no position of this partition, and its outputs cannot be read: refused requests may be refused a second time; grant READ on the output topics',
      );
      return null;
    }
  }

  async topicId(topic: string): Promise<string | null> {
    return (await this.topics.now(topic)).id;
  }

  async close(): Promise<void> {
    await this.cluster.disconnect();
  }

  /** What the group's members hold; nothing while the group is not stable. */
  private async membersNow(): Promise<Members> {
    const coordinator = await this.groupCoordinator();
    const { groups } = await coordinator.describeGroups({ groupIds: [this.settings.groupId] });
    const [group] = groups;
    if (group?.state !== 'Stable') return new Map();
    return new Map(
      group.members.map(({ memberId, memberAssignment }) => [
        memberId,
        kafkajs.AssignerProtocol.MemberAssignment.decode(memberAssignment)?.assignment ?? {},
      ]),
    );
  }

  /** Where a partition's log begins and ends, and the id of its topic. @throws NoLeader; when it does not exist */
  private async logOf({ topic, partition }: TopicPartition) {
    const { id, leaders } = await this.topics.now(topic);
    const leader = leaders.get(partition);
    if (leader === undefined) throw new Error(`partition ${partition} of ${topic} no longer exists`);
    if (leader < 0) throw new NoLeader(topic, partition);
    const [start, end] = await Promise.all([
      this.logOffset({ topic, partition, leader }, EARLIEST),
      this.logOffset({ topic, partition, leader }, LATEST),
    ]);
    return { id, leader, start, end };
  }

  private async committedOf({ topic, partition }: TopicPartition) {
    const coordinator = await this.groupCoordinator();
    const { responses } = await coordinator.offsetFetch({
      groupId: this.settings.groupId,
      topics: [{ topic, partitions: [{ partition }] }],
    });
    return responses[0]?.partitions[0];
  }

  private async logOffset({ topic, partition, leader }: LedPartition, timestamp: number): Promise<number> {
    const broker = await this.cluster.findBroker({ nodeId: leader });
    const topics = [{ topic, partitions: [{ partition, timestamp }] }];
    const { responses } = await broker.listOffsets({ topics });
    return Number(responses[0]?.partitions[0]?.offset);
  }

  private groupCoordinator(): Promise<Broker> {
    const { groupId } = this.settings;
    return findCoordinator(this.cluster, 'group', groupId);
  }
}

function clusterIdOf({ brokerPool }: Cluster): string {
  const id = brokerPool.metadata?.clusterId;
  if (id === undefined) throw new Error('the brokers did not report the id of their cluster');
  return id;
}
