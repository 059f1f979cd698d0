import { type Cluster, type Decoder, type Encoder, KafkaDecoder, KafkaEncoder } from './cluster-requests.ts';

/*
 * A topic that was deleted and created again has its old name and another id. kafkajs speaks versions of the protocol that know only
 * names, so this sends one request that it does not have, over its connections: Metadata, version 10.
 *
 * Source: https://kafka.apache.org/protocol#The_Messages_Metadata
 */
const METADATA = 3;
const FIRST_VERSION_WITH_IDS = 10;
const UNKNOWN_TOPIC = 3;
const UUID_BYTES = 16;
const TIMEOUT_MS = 1_000;
const TRIES = 4;

interface Asking {
  readonly now: Promise<string | null>;
  /** What is asked for while a request is under way is answered by one that begins after it. */
  next: Promise<string | null> | null;
}

class NoSuchTopic extends Error {
  override readonly name = 'NoSuchTopic';
}

/** Tells the ids of topics, as of no earlier than the moment of asking. */
export class TopicIds {
  private readonly cluster: Cluster;
  private readonly asking = new Map<string, Asking>();

  constructor(cluster: Cluster) {
    this.cluster = cluster;
  }

  /**
   * @returns the topic's id as base64url text; null from a broker older than Kafka 2.8, which has none
   * @throws when the topic does not exist, or no broker answers
   */
  idOf(topic: string): Promise<string | null> {
    const asking = this.asking.get(topic);
    if (asking === undefined) return this.ask(topic);
    asking.next ??= asking.now.then(
      () => this.ask(topic),
      () => this.ask(topic),
    );
    return asking.next;
  }

  private ask(topic: string): Promise<string | null> {
    const now = this.request(topic);
    const asking: Asking = { now, next: null };
    this.asking.set(topic, asking);
    const done = () => {
      if (this.asking.get(topic) === asking) this.asking.delete(topic);
    };
    now.then(done, done);
    return now;
  }

  /** Any broker will do, so one that is slow to answer is not waited for. */
  private async request(topic: string): Promise<string | null> {
    for (let tries = 1; ; tries += 1) {
      try {
        return await this.requestOnce(topic);
      } catch (error) {
        if (tries === TRIES || error instanceof NoSuchTopic) throw error;
      }
    }
  }

  private async requestOnce(topic: string): Promise<string | null> {
    await this.cluster.refreshMetadataIfNecessary();
    const broker = await this.cluster.brokerPool.findConnectedBroker();
    const newest = broker.versions[METADATA]?.maxVersion ?? 0;
    if (newest < FIRST_VERSION_WITH_IDS) return null;
    return broker.connectionPool.send({
      request: {
        apiKey: METADATA,
        apiVersion: FIRST_VERSION_WITH_IDS,
        apiName: 'Metadata',
        encode: async () => encodeRequest(topic),
      },
      response: {
        decode: async (payload) => decodeResponse(new KafkaDecoder(payload), topic),
        parse: async (id) => id,
      },
      requestTimeout: TIMEOUT_MS,
    });
  }
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

/** Reads as far as the only topic's id. */
function decodeResponse(payload: Decoder, topic: string): string {
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
  const errorCode = payload.readInt16();
  if (errorCode === UNKNOWN_TOPIC) throw new NoSuchTopic(`${topic} does not exist`);
  if (errorCode !== 0) throw new Error(`the broker does not tell the id of ${topic}: error ${errorCode}`);
  payload.readUVarIntString();
  return payload.readBytes(UUID_BYTES).toString('base64url');
}
