import type { Message } from 'kafkajs';
import type { TopicPartition } from '../../../ports/kafka.ts';
import type { FetchedMessage } from '../fetch/record-reader.ts';

/*
 * Members of kafkajs's internal objects that this service uses: connections to the brokers of a cluster, and the
 * encoding of requests that kafkajs does not have, or has only inside its producer.
 */

export interface Encoder {
  writeBoolean(value: boolean): Encoder;
  writeUVarInt(value: number): Encoder;
  writeUVarIntString(value: string): Encoder;
  writeInt16(value: number): Encoder;
  writeInt32(value: number): Encoder;
  writeString(value: string | null): Encoder;
  writeEncoder(value: Encoder): Encoder;
  writeArray(values: readonly Encoder[]): Encoder;
  size(): number;
}

export interface Decoder {
  readInt16(): number;
  readInt32(): number;
  readUVarInt(): number;
  readUVarIntString(): string;
  readTaggedFields(): unknown;
  readBytes(length: number): Buffer;
}

/** A request and how its answer is read. */
export interface Protocol<Answer> {
  readonly request: object;
  readonly response: { decode(payload: Buffer): Promise<Answer>; parse(answer: Answer): Promise<Answer> };
}

/** The producer that writes under a transactional id now. */
export interface ProducerIdentity {
  readonly transactionalId: string;
  readonly producerId: string;
  readonly producerEpoch: number;
}

/** Partitions of a topic, as requests name them. */
export interface TopicPartitions<Partition> {
  readonly topic: string;
  readonly partitions: readonly Partition[];
}

/** Records of one partition, in order. */
export interface PartitionToWrite extends TopicPartition {
  readonly messages: readonly Message[];
}

/** One TCP connection to a broker, with the requests that wait for their answers on it. */
export interface Connection {
  readonly socket?: { destroy(): void };
  rejectRequests(error: Error): void;
  readonly requestQueue: { destroy(): void };
}

/** Connections to one address. */
export interface ConnectionPool {
  isConnected(): boolean;
  readonly pool: readonly Connection[];
}

/** Every method is one request, but for `isConnected`, which asks nobody. */
export interface Broker {
  /** Null for one that is known by its address alone. */
  readonly nodeId: number | null;
  isConnected(): boolean;
  /** Asks for the versions that the broker has, and authenticates. */
  connect(): Promise<void>;
  describeConfigs(request: {
    readonly resources: readonly {
      readonly type: number;
      readonly name: string;
      readonly configNames: readonly string[];
    }[];
  }): Promise<{
    readonly resources: readonly {
      readonly configEntries: readonly { readonly configName: string; readonly configValue: string }[];
    }[];
  }>;
  readonly versions: Readonly<Record<number, { readonly maxVersion: number }>>;
  readonly connectionPool: ConnectionPool & {
    send<Answer>(protocol: Protocol<Answer> & { readonly requestTimeout: number }): Promise<Answer>;
  };
  initProducerId(request: {
    readonly transactionalId: string;
    readonly transactionTimeout: number;
  }): Promise<Pick<ProducerIdentity, 'producerId' | 'producerEpoch'>>;
  addPartitionsToTxn(
    request: ProducerIdentity & { readonly topics: readonly TopicPartitions<number>[] },
  ): Promise<unknown>;
  addOffsetsToTxn(request: ProducerIdentity & { readonly groupId: string }): Promise<unknown>;
  txnOffsetCommit(
    request: ProducerIdentity & {
      readonly groupId: string;
      readonly topics: readonly TopicPartitions<{
        readonly partition: number;
        readonly offset: string;
        readonly metadata: string;
      }>[];
    },
  ): Promise<unknown>;
  /** Acknowledged by all replicas in sync. */
  produce(
    request: ProducerIdentity & {
      readonly topicData: readonly TopicPartitions<PartitionToWrite & { readonly firstSequence: number }>[];
    },
  ): Promise<unknown>;
  /** Answers after `maxWaitTime` even if there is nothing. */
  fetch(request: {
    readonly isolationLevel: number;
    readonly maxWaitTime: number;
    readonly minBytes: number;
    readonly maxBytes: number;
    readonly topics: readonly TopicPartitions<{
      readonly partition: number;
      readonly fetchOffset: string;
      readonly maxBytes: number;
    }>[];
  }): Promise<{
    readonly responses: readonly {
      readonly partitions: readonly { readonly messages: readonly FetchedMessage[] }[];
    }[];
  }>;
  endTxn(request: ProducerIdentity & { readonly transactionResult: boolean }): Promise<unknown>;
  /** Those that are committed for a group; -1 where none is. To be asked of the group's coordinator. */
  offsetFetch(request: {
    readonly groupId: string;
    readonly topics: readonly TopicPartitions<{ readonly partition: number }>[];
  }): Promise<{
    readonly responses: readonly TopicPartitions<{
      readonly offset: string;
      readonly metadata: string | null;
    }>[];
  }>;
  /** To be asked of the partitions' leader. */
  listOffsets(request: {
    readonly topics: readonly TopicPartitions<{ readonly partition: number; readonly timestamp: number }>[];
  }): Promise<{ readonly responses: readonly TopicPartitions<{ readonly offset: string }>[] }>;
  /** To be asked of the groups' coordinator. */
  describeGroups(request: { readonly groupIds: readonly string[] }): Promise<{
    readonly groups: readonly {
      readonly state: string;
      readonly members: readonly { readonly memberId: string; readonly memberAssignment: Buffer }[];
    }[];
  }>;
}
