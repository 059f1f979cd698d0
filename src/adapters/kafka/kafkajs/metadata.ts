import { internalOf } from './kafkajs-internals.ts';

interface Metadata {
  readonly topicMetadata: readonly {
    readonly topicErrorCode: number;
    readonly partitionMetadata: readonly { readonly leader: number }[];
  }[];
}

interface MetadataRequest {
  readonly request: object;
  readonly response: { decode(payload: Buffer): Promise<Metadata>; parse(data: Metadata): Promise<Metadata> };
}

interface MetadataProtocol {
  protocol(of: { readonly version: number }): (options: object) => MetadataRequest;
}

interface Encoder {
  writeArray(values: readonly unknown[]): Encoder;
  writeBoolean(value: boolean): Encoder;
}

interface Broker {
  readonly nodeId: unknown;
  metadata(topics?: readonly string[]): Promise<Metadata>;
  readonly connectionPool: { send(request: MetadataRequest): Promise<Metadata> };
}

interface BrokerPool {
  metadata: Metadata | null;
  metadataExpireAt: number | null;
  refreshMetadata(topics: readonly string[]): Promise<void>;
  readonly brokers: Readonly<Record<string, unknown>>;
  findBroker(of: { readonly nodeId: string }): Promise<Broker>;
  findConnectedBroker(): Promise<Broker>;
  withBroker<Result>(
    use: (of: { readonly nodeId: unknown; readonly broker: Broker }) => Promise<Result>,
  ): Promise<Result | null>;
}

/** A partition without a leader is looked for so often. */
const LEADERLESS_MAX_AGE_MS = 1_000;
/** Stands for "no topics" where kafkajs would take an empty list for all of them. */
const NO_TOPICS: readonly string[] = [];

/** As this module's other requests for metadata. */
const VERSION = 6;
const METADATA = 'protocol/requests/metadata/index.js';

let isInstalled = false;

/**
 * Makes kafkajs request metadata only for the topics that a client uses, and limits the effect of a missing leader to its
 * partition. kafkajs itself requests every topic of the cluster while a client uses none. It rejects the answer, and so learns
 * of no broker, while any partition in it has no leader.
 */
export function installMetadata(): void {
  if (isInstalled) return;
  isInstalled = true;
  const { prototype: pool } = internalOf<{ prototype: BrokerPool }>('cluster/brokerPool.js');
  const { refreshMetadata } = pool;
  pool.refreshMetadata = async function (this: BrokerPool, topics) {
    await refreshMetadata.call(this, topics.length === 0 ? NO_TOPICS : topics);
    if (this.metadata === null || !hasLeaderless(this.metadata)) return;
    const soon = Date.now() + LEADERLESS_MAX_AGE_MS;
    this.metadataExpireAt = Math.min(this.metadataExpireAt ?? soon, soon);
  };

  // kafkajs gives up if it cannot connect to the first broker that it tries.
  pool.withBroker = async function (this: BrokerPool, use) {
    const connected = await this.findConnectedBroker();
    const others = Object.keys(this.brokers);
    for (const find of [
      async () => connected,
      ...others.map((nodeId) => () => this.findBroker({ nodeId })),
    ]) {
      try {
        const broker = await find();
        return await use({ nodeId: broker.nodeId, broker });
      } catch {
        // The next one is asked.
      }
    }
    return null;
  };

  const { prototype: broker } = internalOf<{ prototype: Broker }>('broker/index.js');
  const { metadata } = broker;
  broker.metadata = function (this: Broker, topics = []) {
    return topics === NO_TOPICS ? this.connectionPool.send(brokersOnly()) : metadata.call(this, topics);
  };

  const protocol = internalOf<MetadataProtocol>(METADATA);
  const { protocol: ofVersion } = protocol;
  protocol.protocol = ({ version }) => {
    const create = ofVersion({ version });
    return (options) => {
      const { request, response } = create(options);
      return {
        request,
        response: { ...response, parse: (data) => response.parse(withoutPartitionErrors(data)) },
      };
    };
  };
}

/** A request for the brokers and no topic. kafkajs writes an empty list as null, which means all topics. */
export function brokersOnly(): MetadataRequest {
  const { request, response } = internalOf<MetadataProtocol>(METADATA).protocol({ version: VERSION })({
    topics: [],
  });
  const Encoder = internalOf<new () => Encoder>('protocol/encoder.js');
  return {
    request: { ...request, encode: async () => new Encoder().writeArray([]).writeBoolean(false) },
    response,
  };
}

/** kafkajs throws for the error of any partition; only a caller that needs the leader should fail. */
function withoutPartitionErrors(data: Metadata): Metadata {
  return {
    ...data,
    topicMetadata: data.topicMetadata.map((topic) => ({
      ...topic,
      partitionMetadata: topic.partitionMetadata.map((partition) => ({
        ...partition,
        partitionErrorCode: 0,
      })),
    })),
  };
}

function hasLeaderless({ topicMetadata }: Metadata): boolean {
  return topicMetadata.some(({ partitionMetadata }) => partitionMetadata.some(({ leader }) => leader < 0));
}
