import type { TopicFacts, TopicPartition } from '../../../ports/kafka.ts';
import type { Logger } from '../../../runtime/logger.ts';
import type { Broker } from '../kafkajs/broker.ts';
import { errorType } from '../kafkajs/broker-errors.ts';
import type { TopicMetadata } from '../kafkajs/cluster-requests.ts';
import type { BrokerConnections } from './broker-connections.ts';

/** Partition counts, leaders and limits are read again after so long, and after an error that points to a change. */
const MAX_AGE_MS = 30_000;
/** Where the service may not read a topic's configuration: a quarter of a broker's default. */
const UNKNOWN_LIMIT_BYTES = 262_144;
/** Below this no chunk could be written. */
const SMALLEST_LIMIT_BYTES = 1_024;
const TOPIC_RESOURCE = 2;
const LIMIT = 'max.message.bytes';

interface Topic {
  partitions: number;
  /** By partition; below 0 for none. */
  leaders: ReadonlyMap<number, number>;
  maxBatchBytes: number;
  isLimitKnown: boolean;
  isUnreadableLogged: boolean;
  reading: Promise<void> | null;
}

/** What is known of topics: their partitions, who leads them, and how large a batch may be. */
export class TopicDirectory {
  private readonly connections: BrokerConnections;
  private readonly logger: Logger;
  private readonly onChanged: (topics: readonly TopicFacts[]) => void;
  private readonly topics = new Map<string, Topic>();
  private refreshing: Promise<void> | null = null;
  private readAt = Number.NEGATIVE_INFINITY;

  /** @param onChanged called with all topics when a partition count or a limit has changed */
  constructor(
    connections: BrokerConnections,
    logger: Logger,
    onChanged: (topics: readonly TopicFacts[]) => void,
  ) {
    this.connections = connections;
    this.logger = logger;
    this.onChanged = onChanged;
  }

  /** Looks after these topics from here on. @throws when no broker answers */
  async add(topics: readonly string[]): Promise<void> {
    const added = topics.filter((topic) => !this.topics.has(topic));
    for (const topic of added)
      this.topics.set(topic, {
        partitions: 0,
        leaders: new Map(),
        maxBatchBytes: UNKNOWN_LIMIT_BYTES,
        isLimitKnown: false,
        isUnreadableLogged: false,
        reading: null,
      });
    // One that is running may have begun before these were added.
    if (added.length > 0) await this.refreshing?.catch(() => undefined);
    await this.refresh();
  }

  facts(): TopicFacts[] {
    return [...this.topics].map(([topic, { partitions, maxBatchBytes }]) => ({
      topic,
      partitions,
      maxBatchBytes,
    }));
  }

  partitionsOf(topic: string): number {
    return this.topics.get(topic)?.partitions ?? 0;
  }

  maxBatchBytes(topic: string): number {
    return this.topics.get(topic)?.maxBatchBytes ?? UNKNOWN_LIMIT_BYTES;
  }

  /** @returns null when the partition has no leader, as far as is known */
  leaderOf({ topic, partition }: TopicPartition): number | null {
    const leader = this.topics.get(topic)?.leaders.get(partition) ?? -1;
    return leader < 0 ? null : leader;
  }

  /** Reads again when what is known is old; nobody waits for it. */
  refreshIfOld(): void {
    if (performance.now() - this.readAt < MAX_AGE_MS) return;
    this.readAt = performance.now();
    void this.refresh().catch(() => undefined);
    for (const topic of this.topics.keys()) void this.readLimit(topic);
  }

  /** Reads partitions and leaders; who asks meanwhile gets the same answer. */
  refresh(): Promise<void> {
    this.refreshing ??= this.read().finally(() => {
      this.refreshing = null;
    });
    return this.refreshing;
  }

  /** Reads the topic's limit. Never rejects: where it cannot be read a small one is assumed. */
  async readLimit(topic: string): Promise<void> {
    const known = this.topics.get(topic);
    if (known === undefined) return;
    known.reading ??= this.readLimitOf(topic, known).finally(() => {
      known.reading = null;
    });
    await known.reading;
  }

  /** A broker refused a batch of so many bytes. */
  async refusedAsTooLarge(topic: string, bytes: number): Promise<void> {
    const known = this.topics.get(topic);
    // A refusal of more than the known limit says nothing new.
    if (known === undefined || bytes > known.maxBatchBytes) return;
    await this.readLimit(topic);
    if (known.isLimitKnown || bytes > known.maxBatchBytes) return;
    this.setLimit(known, Math.max(SMALLEST_LIMIT_BYTES, Math.floor(bytes / 2)));
  }

  private async read(): Promise<void> {
    const { topicMetadata } = await this.connections.metadata([...this.topics.keys()]);
    this.readAt = performance.now();
    let hasChanged = false;
    for (const { topic, partitionMetadata } of topicMetadata) {
      const known = this.topics.get(topic);
      if (known === undefined || partitionMetadata.length === 0) continue;
      if (known.partitions !== partitionMetadata.length) hasChanged = true;
      known.partitions = partitionMetadata.length;
      known.leaders = leadersOf(partitionMetadata);
    }
    if (hasChanged) this.onChanged(this.facts());
  }

  private async readLimitOf(topic: string, known: Topic): Promise<void> {
    try {
      const bytes = await this.connections.askAny((broker) => limitOf(broker, topic));
      known.isLimitKnown = true;
      this.setLimit(known, bytes);
    } catch (error) {
      if (known.isLimitKnown || known.isUnreadableLogged) return;
      known.isUnreadableLogged = true;
      this.logger.warn(
        { topic, error: errorType(error) || 'unreachable', assumedBytes: known.maxBatchBytes },
        "a topic's max.message.bytes could not be read, so a small limit is assumed; grant DESCRIBE_CONFIGS on the topic",
      );
    }
  }

  private setLimit(known: Topic, bytes: number): void {
    if (known.maxBatchBytes === bytes) return;
    known.maxBatchBytes = bytes;
    this.onChanged(this.facts());
  }
}

function leadersOf(partitions: TopicMetadata['partitionMetadata']): Map<number, number> {
  return new Map(partitions.map(({ partitionId, leader }) => [partitionId, leader]));
}

async function limitOf(broker: Broker, topic: string): Promise<number> {
  const resource = { type: TOPIC_RESOURCE, name: topic, configNames: [LIMIT] };
  const { resources } = await broker.describeConfigs({ resources: [resource] });
  const entry = resources[0]?.configEntries.find(({ configName }) => configName === LIMIT);
  const bytes = Number(entry?.configValue);
  if (!Number.isSafeInteger(bytes)) throw new Error(`the broker did not report ${LIMIT} of ${topic}`);
  return Math.max(SMALLEST_LIMIT_BYTES, bytes);
}
