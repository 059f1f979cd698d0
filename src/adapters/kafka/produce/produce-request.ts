import { createRequire } from 'node:module';
import type { Message } from 'kafkajs';
import type { TopicPartition } from '../../../ports/kafka.ts';
import type { Broker, Encoder, Protocol } from '../kafkajs/broker.ts';
import { KafkaEncoder } from '../kafkajs/cluster-requests.ts';
import { type EncodedRecord, encodeRecord } from '../kafkajs/record-encoding.ts';

/*
 * Produce over kafkajs's connections, acknowledged by all replicas in sync, outside any transaction. kafkajs's own request
 * rejects as a whole when one partition of it is refused, and cannot say which.
 *
 * Source: https://kafka.apache.org/protocol#The_Messages_Produce
 */
const PRODUCE = 0;
/** The version that kafkajs reads and every broker since 2.1 supports. */
const VERSION = 7;
const ACKS_ALL = -1;

interface ProduceAnswer {
  readonly topics: readonly {
    readonly topicName: string;
    readonly partitions: readonly { readonly partition: number; readonly errorCode: number }[];
  }[];
}

const require = createRequire(import.meta.url);
const PRODUCE_RESPONSE: Pick<
  Protocol<ProduceAnswer>['response'],
  'decode'
> = require('kafkajs/src/protocol/requests/produce/v7/response.js');
const { RecordBatch } = require('kafkajs/src/protocol/recordBatch/v0/index.js') as {
  RecordBatch(of: {
    readonly records: readonly EncodedRecord[];
    readonly firstTimestamp: number;
    readonly maxTimestamp: number;
    readonly lastOffsetDelta: number;
  }): Promise<Encoder>;
};

/** One partition's records as they go over the wire. */
export interface EncodedBatch extends TopicPartition {
  readonly bytes: number;
  readonly batch: Encoder;
}

/** Encodes records of one partition, written now. @throws what cannot be encoded */
export async function encodeBatch(
  { topic, partition }: TopicPartition,
  messages: readonly Message[],
  timestamp: number,
): Promise<EncodedBatch> {
  const batch = await RecordBatch({
    records: messages.map((message, offsetDelta) => encodeRecord({ ...message, offsetDelta })),
    firstTimestamp: timestamp,
    maxTimestamp: timestamp,
    lastOffsetDelta: messages.length - 1,
  });
  return { topic, partition, bytes: batch.size(), batch };
}

/**
 * Sends the batches to the leader of their partitions.
 *
 * @param timeoutMs how long the leader waits for its replicas
 * @returns each partition's error code, by `topic/partition`; 0 if its records are written
 * @throws the connection's error: then it is in doubt whether the records are written
 */
export async function produce(
  broker: Broker,
  batches: readonly EncodedBatch[],
  timeoutMs: number,
): Promise<Map<string, number>> {
  const topics = [...Map.groupBy(batches, ({ topic }) => topic)];
  const { topics: answered } = await broker.connectionPool.send<ProduceAnswer>({
    request: {
      apiKey: PRODUCE,
      apiVersion: VERSION,
      apiName: 'Produce',
      expectResponse: () => true,
      encode: async () =>
        new KafkaEncoder()
          .writeString(null)
          .writeInt16(ACKS_ALL)
          .writeInt32(timeoutMs)
          .writeArray(
            topics.map(([topic, ofTopic]) =>
              new KafkaEncoder().writeString(topic).writeArray(ofTopic.map(encodePartition)),
            ),
          ),
    },
    response: { decode: PRODUCE_RESPONSE.decode, parse: async (answer) => answer },
    requestTimeout: 0,
  });
  return new Map(
    answered.flatMap(({ topicName, partitions }) =>
      partitions.map(({ partition, errorCode }) => [`${topicName}/${partition}`, errorCode] as const),
    ),
  );
}

function encodePartition({ partition, bytes, batch }: EncodedBatch): Encoder {
  return new KafkaEncoder().writeInt32(partition).writeInt32(bytes).writeEncoder(batch);
}
