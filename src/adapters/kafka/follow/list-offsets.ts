import { createRequire } from 'node:module';
import type { TopicPartition } from '../../../ports/kafka.ts';
import type { Broker, Protocol } from '../kafkajs/broker.ts';
import { ISOLATION_LEVELS, type IsolationLevel } from './fetch-records.ts';
import { protocolVersion } from './protocol-version.ts';

/*
 * ListOffsets over kafkajs's connections. kafkajs's own request rejects as a whole when one partition of it has an error.
 *
 * Source: https://kafka.apache.org/protocol#The_Messages_ListOffsets
 */
const LIST_OFFSETS = 2;
const NEWEST_VERSION = 3;

/** What ListOffsets takes in place of a time. */
export const LOG_END = -1;
export const LOG_START = -2;

/** Asks for the first offset whose record is of this time (epoch ms) or later, or for one of the log's ends. */
export interface OffsetQuestion extends TopicPartition {
  readonly timestamp: number;
}

export interface OffsetAnswer extends TopicPartition {
  /** 0 for none. */
  readonly errorCode: number;
  /** -1 when all records are older. */
  readonly offset: number;
}

interface WholeAnswer {
  readonly responses: readonly {
    readonly topic: string;
    readonly partitions: readonly {
      readonly partition: number;
      readonly errorCode: number;
      readonly offset: string;
    }[];
  }[];
}

const kafkajsListOffsets: {
  protocol(of: { readonly version: number }): (options: {
    readonly isolationLevel: number;
    readonly topics: readonly {
      readonly topic: string;
      readonly partitions: readonly { readonly partition: number; readonly timestamp: number }[];
    }[];
  }) => Protocol<WholeAnswer>;
} = createRequire(import.meta.url)('kafkajs/src/protocol/requests/listOffsets/index.js');

/**
 * Asks the leader of these partitions. Under `read_committed` the end is where the oldest open transaction began.
 *
 * @throws what happened to the connection
 */
export async function listOffsets(
  broker: Broker,
  questions: readonly OffsetQuestion[],
  isolationLevel: IsolationLevel,
): Promise<OffsetAnswer[]> {
  const version = protocolVersion(broker, LIST_OFFSETS, NEWEST_VERSION);
  const { request, response } = kafkajsListOffsets.protocol({ version })({
    isolationLevel: ISOLATION_LEVELS[isolationLevel],
    topics: [...Map.groupBy(questions, ({ topic }) => topic)].map(([topic, partitions]) => ({
      topic,
      partitions: partitions.map(({ partition, timestamp }) => ({ partition, timestamp })),
    })),
  });
  const { responses } = await broker.connectionPool.send<WholeAnswer>({
    request,
    response: { decode: response.decode, parse: async (answer) => answer },
    requestTimeout: 0,
  });
  return responses.flatMap(({ topic, partitions }) =>
    partitions.map(({ partition, errorCode, offset }) => ({
      topic,
      partition,
      errorCode,
      offset: Number(offset),
    })),
  );
}
