import { retry } from '../../../runtime/retry.ts';
import type { Broker, Decoder, Encoder } from '../kafkajs/broker.ts';
import {
  brokerError,
  type Cluster,
  KafkaDecoder,
  KafkaEncoder,
  topicMetadata,
} from '../kafkajs/cluster-requests.ts';
import { SharedAnswer } from './shared-answer.ts';

/*
 * A topic that was deleted and created again has its old name and another id. kafkajs speaks versions of the protocol that know only
 * names, so this sends one request that it does not have, over its connections: Metadata, version 10. It names the topic, so
 * that the state of no other one is in the answer.
 *
 * Source: https://kafka.apache.org/protocol#The_Messages_Metadata
 */
const METADATA = 3;
const FIRST_VERSION_WITH_IDS = 10;
const UNKNOWN_TOPIC = 3;
const UUID_BYTES = 16;
const TIMEOUT_MS = 1_000;
const TRIES = 4;
/** What transactions are checked against is at most so old. */
const RECENT_MS = 1_000;

/** A topic as a broker knows it. */
export interface TopicState {
  /** As base64url text; null from a broker older than Kafka 2.8, which has none. */
  readonly id: string | null;
  /** The broker that leads each partition; below 0 for none. */
  readonly leaders: ReadonlyMap<number, number>;
}

class NoSuchTopic extends Error {
  override readonly name = 'NoSuchTopic';
}

/** One topic's questions, and the last answer to them. */
interface Lookup {
  readonly asking: SharedAnswer<TopicState>;
  /** When the request for the last answer began. */
  askedAt: number;
  last: TopicState | null;
}

/** Looks up topics, each in a request of its own. */
export class TopicLookup {
  private readonly cluster: Cluster;
  private readonly lookups = new Map<string, Lookup>();

  constructor(cluster: Cluster) {
    this.cluster = cluster;
  }

  /**
   * The topic as of no earlier than the moment of asking.
   *
   * @throws when the topic does not exist, or no broker answers
   */
  now(topic: string): Promise<TopicState> {
    return this.lookupOf(topic).asking.get();
  }

  /** The topic as of a second ago, or later. One request for each topic and second, however many ask. */
  async recent(topic: string): Promise<TopicState> {
    const { last, askedAt, asking } = this.lookupOf(topic);
    return last !== null && performance.now() - askedAt < RECENT_MS ? last : asking.get();
  }

  private lookupOf(topic: string): Lookup {
    const known = this.lookups.get(topic);
    if (known !== undefined) return known;
    const lookup: Lookup = {
      asking: new SharedAnswer(() => this.ask(topic, lookup)),
      askedAt: Number.NEGATIVE_INFINITY,
      last: null,
    };
    this.lookups.set(topic, lookup);
    return lookup;
  }

  private async ask(topic: string, lookup: Lookup): Promise<TopicState> {
    const askedAt = performance.now();
    lookup.last = null;
    const state = await this.request(topic);
    lookup.last = state;
    lookup.askedAt = askedAt;
    return state;
  }

  /** Any broker will do, so one that is slow to answer is not waited for. */
  private request(topic: string): Promise<TopicState> {
    const isRetryable = (error: unknown) => !(error instanceof NoSuchTopic);
    return retry(() => this.requestOnce(topic), { tries: TRIES, isRetryable });
  }

  private async requestOnce(topic: string): Promise<TopicState> {
    await this.cluster.refreshMetadataIfNecessary();
    const broker = await this.cluster.brokerPool.findConnectedBroker();
    const newest = broker.versions[METADATA]?.maxVersion ?? 0;
    if (newest < FIRST_VERSION_WITH_IDS) return stateByName(broker, topic);
    return broker.connectionPool.send({
      request: {
        apiKey: METADATA,
        apiVersion: FIRST_VERSION_WITH_IDS,
        apiName: 'Metadata',
        encode: async () => encodeRequest(topic),
      },
      response: {
        decode: async (payload) => decodeResponse(new KafkaDecoder(payload), topic),
        parse: async (state) => state,
      },
      requestTimeout: TIMEOUT_MS,
    });
  }
}

async function stateByName(broker: Broker, name: string): Promise<TopicState> {
  const [topic] = await topicMetadata(broker, [name], TIMEOUT_MS);
  if (topic === undefined) throw new NoSuchTopic(`${name} does not exist`);
  throwIfFailed(topic.topicErrorCode, name);
  return {
    id: null,
    leaders: new Map(topic.partitionMetadata.map(({ partitionId, leader }) => [partitionId, leader])),
  };
}

function throwIfFailed(errorCode: number, topic: string): void {
  if (errorCode === UNKNOWN_TOPIC) throw new NoSuchTopic(`${topic} does not exist`);
  if (errorCode !== 0)
    throw new Error(`the broker does not describe ${topic}`, { cause: brokerError(errorCode) });
}

/** Lengths of compact arrays are one more than they say; a header of this version ends with its tagged fields. */
function encodeRequest(topic: string): Encoder {
  return new KafkaEncoder()
    .writeUVarInt(0)
    .writeUVarInt(2)
    .writeInt32(0)
    .writeInt32(0)
    .writeInt32(0)
    .writeInt32(0)
    .writeUVarIntString(topic)
    .writeUVarInt(0)
    .writeBoolean(false)
    .writeBoolean(false)
    .writeBoolean(false)
    .writeUVarInt(0);
}

/** Reads as far as the only topic's partitions. */
function decodeResponse(payload: Decoder, topic: string): TopicState {
  // The header's tagged fields, throttle time, brokers, cluster id, controller, number of topics; then the topic.
  payload.readTaggedFields();
  payload.readInt32();
  for (let brokers = payload.readUVarInt() - 1; brokers > 0; brokers -= 1) {
    payload.readInt32();
    payload.readUVarIntString();
    payload.readInt32();
    payload.readUVarIntString();
    payload.readTaggedFields();
  }
  payload.readUVarIntString();
  payload.readInt32();
  payload.readUVarInt();
  throwIfFailed(payload.readInt16(), topic);
  payload.readUVarIntString();
  const id = payload.readBytes(UUID_BYTES).toString('base64url');
  const isInternalBytes = 1;
  payload.readBytes(isInternalBytes);
  const leaders = new Map<number, number>();
  for (let partitions = payload.readUVarInt() - 1; partitions > 0; partitions -= 1) {
    // Its error says again that it has no leader.
    payload.readInt16();
    const partition = payload.readInt32();
    leaders.set(partition, payload.readInt32());
    // The leader's epoch; replicas, those in sync, and those that are offline; tagged fields.
    payload.readInt32();
    for (let lists = 3; lists > 0; lists -= 1)
      for (let brokers = payload.readUVarInt() - 1; brokers > 0; brokers -= 1) payload.readInt32();
    payload.readTaggedFields();
  }
  return { id, leaders };
}
