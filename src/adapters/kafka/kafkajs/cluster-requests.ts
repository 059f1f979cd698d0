import { createRequire } from 'node:module';
import type { Kafka } from 'kafkajs';
import type { TopicPartition } from '../../../ports/kafka.ts';
import type { Logger } from '../../../runtime/logger.ts';
import { retry } from '../../../runtime/retry.ts';
import type { Broker, ConnectionPool, Decoder, Encoder, Protocol, TopicPartitions } from './broker.ts';
import { createKafka, type KafkaSettings, NO_RETRIES } from './kafka-client.ts';
import { brokersOnly } from './metadata.ts';

export interface Cluster {
  connect(): Promise<void>;
  disconnect(): Promise<void>;
  /** Of these topics it keeps the metadata from here on. Asks nobody when it has them already. */
  addMultipleTargetTopics(topics: readonly string[]): Promise<void>;
  refreshMetadataIfNecessary(): Promise<void>;
  /** Of the topics that were added; asks nobody. */
  findTopicPartitionMetadata(topic: string): readonly PartitionMetadata[];
  /** Connects where it is not connected. */
  findBroker(of: { readonly nodeId: number }): Promise<Broker>;
  /** Asks each time. */
  findGroupCoordinator(of: { readonly groupId: string; readonly coordinatorType: number }): Promise<Broker>;
  readonly rootLogger: unknown;
  readonly connectionPoolBuilder: { build(address: BrokerAddress): Promise<ConnectionPool> };
  readonly brokerPool: {
    /** As last read. */
    readonly metadata: { readonly clusterId: string } | null;
    readonly seedBroker?: Broker;
    findConnectedBroker(): Promise<Broker>;
    /** The next of the configured addresses; the last one is disconnected. */
    createSeedBroker(): Promise<void>;
    createBroker(of: {
      readonly logger: unknown;
      readonly nodeId: number;
      readonly connectionPool: ConnectionPool;
    }): Broker;
  };
}

export interface BrokerAddress {
  readonly host: string;
  readonly port: number;
  readonly rack?: string | null;
}

/** What a coordinator is asked for: the values of `key_type` in FindCoordinator. */
export const COORDINATOR_TYPES = { group: 0, transaction: 1 } as const;

interface PartitionMetadata {
  readonly partitionId: number;
  /** Below 0 when it has none. */
  readonly leader: number;
}

export interface TopicMetadata {
  /** 0 for none. */
  readonly topicErrorCode: number;
  readonly topic: string;
  readonly partitionMetadata: readonly PartitionMetadata[];
}

export interface ClusterMetadata {
  readonly brokers: readonly (BrokerAddress & { readonly nodeId: number })[];
  readonly topicMetadata: readonly TopicMetadata[];
}

const require = createRequire(import.meta.url);
export const KafkaEncoder: new () => Encoder = require('kafkajs/src/protocol/encoder.js');
export const KafkaDecoder: new (bytes: Buffer) => Decoder = require('kafkajs/src/protocol/decoder.js');

/** The broker's error of a code, with its name as `type`. */
export const brokerError: (code: number) => Error =
  require('kafkajs/src/protocol/error.js').createErrorFromCode;

const METADATA: {
  protocol(of: {
    readonly version: number;
  }): (of: {
    readonly topics: readonly string[];
    readonly allowAutoTopicCreation: boolean;
  }) => Protocol<ClusterMetadata>;
} = require('kafkajs/src/protocol/requests/metadata/index.js');
const METADATA_VERSION = 6;

/** A connected cluster of its own, which repeats nothing. @throws when no configured broker answers */
export async function connectCluster(settings: KafkaSettings, logger: Logger): Promise<Cluster> {
  const cluster = clusterOf(createKafka(settings, logger, NO_RETRIES));
  await connectAny(cluster, settings.brokers.length);
  await cluster.refreshMetadataIfNecessary();
  return cluster;
}

/** kafkajs goes on to the next of the configured addresses with each try. */
export function connectAny(cluster: Cluster, addresses: number): Promise<void> {
  return retry(() => cluster.connect(), { tries: addresses });
}

/** kafkajs makes one for each of its clients and shows it to nobody. It is not connected. */
export function clusterOf(kafka: Kafka): Cluster {
  const create = Object.getOwnPropertySymbols(kafka).find(
    ({ description }) => description === 'private:Kafka:createCluster',
  );
  if (create === undefined) throw new Error('this version of kafkajs makes its clusters differently');
  const createCluster = Reflect.get(kafka, create) as (options: object) => Cluster;
  return createCluster({ allowAutoTopicCreation: false, metadataMaxAge: 30_000 });
}

/** What this broker knows of the topics; a topic or partition with an error is reported like any other. */
export async function topicMetadata(
  broker: Broker,
  topics: readonly string[],
  requestTimeout: number,
): Promise<readonly TopicMetadata[]> {
  return (await clusterMetadata(broker, topics, requestTimeout)).topicMetadata;
}

/**
 * Whether there is a connection, also when it is to authenticate again, as the next request does before anything else: kafkajs's
 * own `isConnected` says no from 10 s before the end of a session on, for a connection that works and may be in use.
 */
export function isConnected(broker: Broker): boolean {
  return broker.connectionPool.isConnected();
}

/** The connection for all requests but fetches; null while disconnected. Reconnecting creates another one. */
export function connectionOf(broker: Broker): object | null {
  return isConnected(broker) ? (broker.connectionPool.pool[0]?.socket ?? null) : null;
}

/** What this broker knows of the cluster and of the topics; a topic or partition with an error is reported like any other. */
export function clusterMetadata(
  broker: Broker,
  topics: readonly string[],
  requestTimeout: number,
): Promise<ClusterMetadata> {
  const metadata = METADATA.protocol({ version: METADATA_VERSION });
  const { request, response } =
    topics.length === 0
      ? (brokersOnly() as unknown as Protocol<ClusterMetadata>)
      : metadata({ topics, allowAutoTopicCreation: false });
  return broker.connectionPool.send({
    request,
    // kafkajs's own `parse` throws when any partition of any topic is without a leader.
    response: { decode: response.decode, parse: async (whole: ClusterMetadata) => whole },
    requestTimeout,
  });
}

/** The same partitions, each topic once. */
export function byTopic(partitions: readonly TopicPartition[]): TopicPartitions<number>[] {
  const byName = Map.groupBy(partitions, ({ topic }) => topic);
  return [...byName].map(([topic, all]) => ({ topic, partitions: all.map(({ partition }) => partition) }));
}
